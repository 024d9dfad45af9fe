"""NaN and infinity noticed at the step at which they appear, without making a GPU wait."""

import torch
from torch import Tensor

_EVERY = 50  # steps between two looks at a GPU


class FiniteWatch:
    """Looks at one value a step.

    On a CPU a look costs nothing, so the step that is not finite is the last. A GPU notes the first such step
    itself and is asked every 50 steps and whenever `found` is: up to 50 steps are wasted, none is kept.
    """

    def __init__(self) -> None:
        self._noted: Tensor | None = None
        self._seen = 0

    def see(self, value: Tensor, step: int) -> int | None:
        """The first step whose value was not finite, where one is known of.

        Args:
            value: a scalar.
            step: rises from call to call.
        """
        value = value.detach()
        if value.device.type == "cpu":
            return None if bool(torch.isfinite(value)) else step
        if self._noted is None:
            self._noted = torch.full((), -1, dtype=torch.int64, device=value.device)
        self._noted = torch.where((self._noted < 0) & ~torch.isfinite(value), step, self._noted)
        self._seen += 1
        return self.found() if self._seen % _EVERY == 0 else None

    def found(self) -> int | None:
        """The first step that was not finite, of those noted on a GPU."""
        noted = -1 if self._noted is None else int(self._noted)
        return None if noted < 0 else noted
