"""Rows as reports show them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from convoy.evaluation.pictures import Excerpt

_MARK = Markup(
    '<mark style="background:color-mix(in srgb, var(--tone-1) {}%, transparent);color:inherit">{}</mark>'
)
_LEAST = 10  # percent of the greatest loss, from which a cell is marked
_TINY = 1e-5
_APART = Markup(" · ")


def line(record: Mapping[str, Any]) -> str:
    """A row in words."""
    return str(_APART).join(_cell(name, value) for name, value in record.items())


def marked(record: Mapping[str, Any], names: Sequence[str], losses: NDArray[np.float64]) -> Excerpt:
    """The same; columns are marked by their share of the greatest loss (columns,)."""
    most = max(float(losses.max(initial=0)), _TINY)
    share = dict(zip(names, np.rint(100 * losses / most).astype(int).tolist(), strict=True))
    parts = []
    for name, value in record.items():
        text = _cell(name, value)
        strong = share.get(name, 0) >= _LEAST
        parts.append(_MARK.format(share[name], text) if strong else escape(text))
    return Excerpt(_APART.join(parts))


def _cell(name: str, value: Any) -> str:
    return f"{name} {'missing' if value is None else value}"
