"""Dropout of values or of whole channels."""

from torch import nn


def dropout(rate: float, *, spatial: bool) -> list[nn.Module]:
    """Srivastava et al., 2014; spatial: Tompson et al., 2015. Nothing at rate 0."""
    if not rate:
        return []
    return [nn.Dropout2d(rate) if spatial else nn.Dropout(rate)]
