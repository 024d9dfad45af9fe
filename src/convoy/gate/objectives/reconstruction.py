"""Autoencoders: whose error is smaller on the same pictures, by a paired bootstrap.

The metric is mse, the mean over the samples of the mean over each one's pixels, which go from 0 to 1.
"""

from typing import Any

import numpy as np

from convoy.gate import paired
from convoy.gate.objectives import _base
from convoy.gate.objectives._base import Common, Floats, Shares

_SIZES = ("height", "width", "channels")


class Scores(_base.Scores):
    """`rival` holds the champion's error and code, (N, 1 + K); of both the error counts, whatever the code's
    size.
    """

    def tested(self) -> Common:
        return Common(True, "every picture is its own target", {"samples": len(self.samples)})

    def comparable(self) -> Common:
        own, other = ([int(info["preprocessing"]["spec"][name]) for name in _SIZES] for info in self.info)
        known = {"challenger": own, "champion": other}
        if own == other:
            return Common(True, "both restore pictures of {}×{} with {} channel(s)".format(*own), known)
        said = "they restore pictures of other sizes: the challenger {}×{}×{}, the champion {}×{}×{}"
        fix = "give it a name of its own (register.model)"
        return Common(False, said.format(*own, *other), known, fix)

    def compare(self, metric: str) -> dict[str, Any]:
        del metric  # there is one
        new, old = self._errors()
        better = old - new
        return {
            "samples": len(new),
            "challenger": float(new.mean()),
            "champion": float(old.mean()),
            "difference": float(better.mean()),
            "interval": paired.mean_interval(better),
            "confidence": paired.CONFIDENCE,
            "resamples": paired.RESAMPLES,
            "smaller_error": {
                "only_challenger": int((new < old).sum()),
                "only_champion": int((old < new).sum()),
            },
        }

    def measured(self, metric: str) -> float | None:
        del metric
        return float(self.rows[:, 0].mean()) if len(self.rows) else None

    def shares(self) -> Shares:
        return Shares(*self._errors(), -1)

    def _errors(self) -> tuple[Floats, Floats]:
        """Challenger's and champion's on the shared rows, (N,) each."""
        assert self.rival is not None
        shared = self.shared
        return self.rows[shared, 0], np.asarray(self.rival[shared, 0], np.float64)
