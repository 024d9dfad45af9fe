"""Two models on the same samples: the difference of a metric, its interval, and who was right alone.

The bootstrap (Efron, 1979) draws samples with replacement. Samples with the same target and the same two
answers are interchangeable, so a resample is a draw of counts for these kinds: one multinomial draw each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

METRICS = ("accuracy", "macro_f1")
RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 0
_CELLS = 4_000_000  # of a block of resamples in memory


@dataclass(frozen=True)
class Answers:
    """Class indices (N,) on the same N samples, below `classes`."""

    target: Codes
    challenger: Codes
    champion: Codes
    classes: int


def compare(metric: str, answers: Answers) -> dict[str, Any]:
    """Both metrics, their difference with a percentile interval, and McNemar's exact test.

    {"samples", "challenger", "champion", "difference", "interval": [low, high], "confidence", "resamples",
    "mcnemar": {"only_challenger_right", "only_champion_right", "p"}}

    Raises:
        KeyError: the metric is none of METRICS.
    """
    if metric not in METRICS:
        raise KeyError(metric)
    kinds = _Kinds.of(answers)
    new, old = (float(values[0]) for values in kinds.measure(metric, kinds.counts[None]))
    differences = np.concatenate([np.subtract(*kinds.measure(metric, block)) for block in kinds.resamples()])
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {
        "samples": len(answers.target),
        "challenger": new,
        "champion": old,
        "difference": new - old,
        "interval": [float(low), float(high)],
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "mcnemar": mcnemar(answers.challenger == answers.target, answers.champion == answers.target),
    }


def measure(metric: str, target: Codes, prediction: Codes, classes: int) -> float:
    """A metric of one model, codes (N,) below `classes`."""
    same = Answers(target, prediction, prediction, classes)
    kinds = _Kinds.of(same)
    return float(kinds.measure(metric, kinds.counts[None])[0][0])


def mean_interval(values: Floats) -> list[float]:
    """Percentile bootstrap interval of the mean of (N,) paired differences."""
    rng = np.random.default_rng(SEED)
    step = max(1, _CELLS // len(values))
    means = [
        values[rng.integers(0, len(values), (min(step, RESAMPLES - first), len(values)))].mean(axis=1)
        for first in range(0, RESAMPLES, step)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return [float(low), float(high)]


def mcnemar(new_right: NDArray[np.bool_], old_right: NDArray[np.bool_]) -> dict[str, Any]:
    """The exact two-sided test on the samples that one of the two has right (McNemar, 1947)."""
    from scipy import special  # its `stats` takes a second to import

    only_new, only_old = int((new_right & ~old_right).sum()), int((old_right & ~new_right).sum())
    p = min(1.0, 2 * float(special.bdtr(min(only_new, only_old), only_new + only_old, 0.5)))
    return {"only_challenger_right": only_new, "only_champion_right": only_old, "p": p}


def chance_of_loss(new_right: NDArray[np.bool_], old_right: NDArray[np.bool_]) -> float:
    """The one-sided sign test: how likely so many losses are between two models that are equally good."""
    from scipy import special

    only_new, only_old = int((new_right & ~old_right).sum()), int((old_right & ~new_right).sum())
    return float(special.bdtrc(only_old - 1, only_new + only_old, 0.5)) if only_old else 1.0


@dataclass(frozen=True)
class _Kinds:
    """The distinct (target, challenger, champion), (K,) each, with how many samples there are of each."""

    target: Codes
    challenger: Codes
    champion: Codes
    counts: Codes
    classes: int

    @classmethod
    def of(cls, answers: Answers) -> "_Kinds":
        rows = np.stack([answers.target, answers.challenger, answers.champion])
        (target, challenger, champion), counts = np.unique(rows, axis=1, return_counts=True)
        return cls(target, challenger, champion, counts, answers.classes)

    def resamples(self) -> Iterator[Codes]:
        """Blocks (B, K) of counts, RESAMPLES in all."""
        rng = np.random.default_rng(SEED)
        total = int(self.counts.sum())
        step = max(1, _CELLS // max(len(self.counts), self.classes))
        for first in range(0, RESAMPLES, step):
            yield rng.multinomial(total, self.counts / total, size=min(step, RESAMPLES - first))

    def measure(self, metric: str, counts: Codes) -> tuple[Floats, Floats]:
        """The metric of challenger and champion in each row of counts (B, K): (B,) each."""
        measure = _accuracy if metric == "accuracy" else _macro_f1
        return (
            measure(self.target, self.challenger, counts, self.classes),
            measure(self.target, self.champion, counts, self.classes),
        )


def _accuracy(target: Codes, prediction: Codes, counts: Codes, classes: int) -> Floats:
    del classes
    right: Floats = counts[:, target == prediction].sum(axis=1) / counts.sum(axis=1)
    return right


def _macro_f1(target: Codes, prediction: Codes, counts: Codes, classes: int) -> Floats:
    """Mean F1 of all classes; a class that neither occurs nor is predicted counts as 0, as in evaluation."""
    right = target == prediction
    hits = _by_class(target[right], counts[:, right], classes)
    seen = _by_class(target, counts, classes) + _by_class(prediction, counts, classes)
    score: Floats = (2 * hits / np.maximum(seen, 1)).mean(axis=1)
    return score


def _by_class(codes: Codes, counts: Codes, classes: int) -> Codes:
    """Sums of counts (B, K) over the kinds of each class: (B, classes)."""
    sums = np.zeros((len(counts), classes), np.int64)
    if len(codes):
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
