"""Several labels: F1, average precision or exact answers on the same samples, by a paired bootstrap."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convoy.data import labelling
from convoy.evaluation.intervals import draws
from convoy.evaluation.labels import Answered, Weighted
from convoy.gate.objectives import _base
from convoy.gate.objectives._base import Common, Floats, Mask, Shares, same_outputs, some
from convoy.gate.paired import CONFIDENCE, RESAMPLES, SEED, mcnemar


class Scores(_base.Scores):
    """`rival` holds the champion's probabilities, (N, K)."""

    def tested(self) -> Common:
        own, tested = set(self.classes), self._tested()
        known = {"tested": len(tested), "known": len(tested & own)}
        if tested - own:
            said = f"the test samples have labels that the model does not know: {some(tested - own)}"
            return Common(False, said, known, "judge it in the project that it was trained in")
        return Common(True, f"the model knows all {len(tested)} tested labels", known)

    def comparable(self) -> Common:
        return same_outputs(self, "labels")

    def compare(self, metric: str) -> dict[str, Any]:
        rows = self.shared
        pair = [self._answered(side, rows) for side in (0, 1)]
        models = [Weighted(each) for each in pair]
        count = int(rows.sum())
        new, old = (_measure(each, metric, np.ones((count, 1)))[0] for each in models)
        differences = np.concatenate(
            [
                _measure(models[0], metric, weights) - _measure(models[1], metric, weights)
                for weights in draws(count, RESAMPLES, SEED)
            ]
        )
        low, high = np.nanquantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        right = [each.error == 0 for each in pair]
        return {
            "samples": count,
            "challenger": float(new),
            "champion": float(old),
            "difference": float(new - old),
            "interval": [float(low), float(high)],
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "mcnemar": mcnemar(*right),
        }

    def measured(self, metric: str) -> float | None:
        every = np.ones(len(self.samples), bool)
        if not len(every) or self._tested() - set(self.classes):
            return None
        return float(_measure(Weighted(self._answered(0, every)), metric, np.ones((len(every), 1)))[0])

    def shares(self) -> Shares:
        """Whether all labels of a sample are right."""
        right = [(self._answered(side, self.shared).error == 0).astype(np.float64) for side in (0, 1)]
        return Shares(right[0], right[1], 1)

    def _tested(self) -> set[str]:
        between = _separator(self.info[0])
        return {part for target in self.samples["target"] for part in labelling.parts(target, between)}

    def _answered(self, side: int, rows: Mask) -> Answered:
        """Of the challenger (0) or the champion (1), labels in the challenger's order."""
        info, found = self.info[side], self.rows if side == 0 else self.rival
        assert found is not None
        place = {name: n for n, name in enumerate(info["classes"])}
        order = [place[name] for name in self.classes]
        limits = np.array([info["thresholds"][name] for name in self.classes])
        probability = np.asarray(found, np.float64)[rows][:, order]
        held = labelling.shown(self.samples.loc[rows, "target"], self.classes, _separator(self.info[0]))
        return Answered(held, probability, probability >= limits)


def _separator(info: Mapping[str, Any]) -> str:
    return str(info["preprocessing"]["separator"])


def _measure(weighted: Weighted, metric: str, weights: Floats) -> Floats:
    return weighted.areas(weights)[metric] if metric == "mean_ap" else weighted.sums(weights)[metric]
