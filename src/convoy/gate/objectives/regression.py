"""Numbers and points: whose error is smaller on the same samples, by a paired bootstrap.

Each model is measured in its own prepared pictures: NME and PCK are in multiples of a length that both share,
mae and rmse of points are in pixels of the prepared ones.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convoy.config.register import rises
from convoy.data import keypoints
from convoy.data.objectives.regression import places
from convoy.evaluation.errors import Measured, Weighted, lengths
from convoy.evaluation.intervals import draws
from convoy.gate.objectives import _base
from convoy.gate.objectives._base import Common, Floats, Shares, same_outputs
from convoy.gate.paired import CONFIDENCE, RESAMPLES, SEED


class Scores(_base.Scores):
    """`rival` holds the champion's numbers, (N, K)."""

    def tested(self) -> Common:
        known = {"outputs": len(self.classes)}
        wanted = self._width
        if wanted is None or wanted == len(self.classes):
            return Common(True, f"the model gives the {len(self.classes)} numbers that are tested", known)
        said = f"the test samples have {wanted} numbers, the model gives {len(self.classes)}"
        return Common(False, said, known, "judge it in the project that it was trained in")

    def comparable(self) -> Common:
        return same_outputs(self, "numbers")

    def compare(self, metric: str) -> dict[str, Any]:
        rows = self.shared
        pair = [self._measured(side)[rows] for side in (0, 1)]
        one = np.ones((int(rows.sum()), 1))
        models = [Weighted(each.data) for each in pair]
        new, old = (float(each.sums(one)[metric][0]) for each in models)
        sign = 1 if rises(metric) else -1
        differences = np.concatenate(
            [
                sign * (models[0].sums(weights)[metric] - models[1].sums(weights)[metric])
                for weights in draws(len(one), RESAMPLES, SEED)
            ]
        )
        low, high = np.nanquantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        errors = [each.data.error for each in pair]
        return {
            "samples": len(one),
            "challenger": new,
            "champion": old,
            "difference": sign * (new - old),
            "interval": [float(low), float(high)],
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "smaller_error": {
                "only_challenger": int((errors[0] < errors[1]).sum()),
                "only_champion": int((errors[1] < errors[0]).sum()),
            },
        }

    def measured(self, metric: str) -> float | None:
        if self._width is None:
            return None
        data = self._measured(0).data
        return float(Weighted(data).sums(np.ones((len(data.target), 1)))[metric][0])

    def shares(self) -> Shares:
        rows = self.shared
        new, old = (self._measured(side)[rows].data.error for side in (0, 1))
        return Shares(new, old, -1)

    @property
    def _width(self) -> int | None:
        """Numbers that a test sample has; None where there is no sample."""
        if not len(self.samples):
            return None
        if "values" in self.samples and self.samples["values"].notna().any():
            return len(self.samples["values"].iloc[0])
        return 2 * len(self.samples["keypoints"].iloc[0]) // 3

    def _measured(self, side: int) -> "_Rows":
        """Of the challenger (0) or the champion (1), in its own pictures."""
        rows = self.rows if side == 0 else self.rival
        assert rows is not None
        preprocessing = self.info[side]["preprocessing"]
        target = self._targets(preprocessing)
        return _Rows(Measured(target, np.asarray(rows, np.float64), lengths(target, preprocessing)))

    def _targets(self, preprocessing: Mapping[str, Any]) -> Floats:
        if "points" not in preprocessing:
            return np.array(self.samples["values"].tolist(), np.float64)
        points = keypoints.table(self.samples["keypoints"].tolist(), self.samples["path"].tolist())
        sizes = self.samples[["height", "width"]].to_numpy(np.int64)
        return places(keypoints.resized(points, sizes, preprocessing["spec"]))


class _Rows:
    """Measured samples, some of which can be taken by a mask."""

    def __init__(self, data: Measured) -> None:
        self.data = data

    def __getitem__(self, rows: _base.Mask) -> "_Rows":
        data = self.data
        length = None if data.length is None else data.length[rows]
        return _Rows(Measured(data.target[rows], data.prediction[rows], length))
