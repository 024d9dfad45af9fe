"""Intervals: percentile bootstrap over the samples (Efron, 1979), Wilson's for one share.

A resample is how often each sample was drawn; metrics take such counts as weights, many resamples at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from convoy.evaluation import metrics
from convoy.evaluation.metrics import DIGITS, Scored

Floats = NDArray[np.float64]

_BATCH_ENTRIES = 2_000_000  # of a batch of counts, 16 MB
_AREA_WORK = 10_000_000_000  # visits of samples that the areas may cost, some 15 s
_LEAST_RESAMPLES = 100


@dataclass(frozen=True)
class Resampling:
    """How a bootstrap is made: number of resamples, confidence of the interval, seed of the draws."""

    resamples: int
    confidence: float
    seed: int


def draws(samples: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Batches (samples, b) of how often each sample is drawn, `resamples` columns in all."""
    random = np.random.default_rng(seed)
    batch = max(1, _BATCH_ENTRIES // samples)
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        drawn = random.integers(0, samples, (count, samples)) + np.arange(count)[:, None] * samples
        counts = np.bincount(drawn.ravel(), minlength=count * samples).reshape(count, samples)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


class Weighted(Protocol):
    """Metrics of weighted samples: weights (N, B), not negative, give B values each."""

    @property
    def area_work(self) -> int:
        """Samples that `areas` visits for each weighting."""

    def sums(self, weights: Floats) -> dict[str, Floats]:
        """Metrics that follow from sums."""

    def areas(self, weights: Floats) -> dict[str, Floats]:
        """The others."""


def bootstrap(data: Scored, how: Resampling) -> dict[str, list[float]]:
    """[low, high] of every metric of `metrics.summary`."""
    return of_weighted(metrics.Weighted(data), len(data.target), how)


def of_weighted(weighted: Weighted, samples: int, how: Resampling) -> dict[str, list[float]]:
    """[low, high] of every metric.

    Where there are so many classes and samples that the areas under curves would take minutes, theirs come
    from fewer resamples, at least 100.
    """
    affordable = max(_LEAST_RESAMPLES, _AREA_WORK // max(weighted.area_work, 1))
    found: dict[str, list[Floats]] = {}
    done = 0
    for weights in draws(samples, how.resamples, how.seed):
        values = weighted.sums(weights)
        if done < affordable:
            values |= weighted.areas(weights[:, : affordable - done])
        for name, value in values.items():
            found.setdefault(name, []).append(value)
        done += weights.shape[1]
    ends = {name: percentile(np.concatenate(parts), how.confidence) for name, parts in found.items()}
    return {name: interval for name, interval in ends.items() if interval is not None}


def percentile(values: Floats, confidence: float) -> list[float] | None:
    """The middle `confidence` of the values; None where no resample has one (NaN)."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return [round(float(low), DIGITS), round(float(high), DIGITS)]


def paired_mean(better: Floats, how: Resampling) -> tuple[float, list[float]]:
    """The mean (N,) of how much better the first of two models is on the same samples, and its interval."""
    means = [better @ weights / len(better) for weights in draws(len(better), how.resamples, how.seed)]
    interval = percentile(np.concatenate(means), how.confidence)
    assert interval is not None
    return round(float(better.mean()), DIGITS), interval


def paired_accuracy(
    first: NDArray[np.bool_], second: NDArray[np.bool_], how: Resampling
) -> tuple[float, list[float]]:
    """By how much the first of two models is more often right on the same samples, and its interval.

    Args:
        first: whether each sample (N,) is answered rightly.
        second: the same of the other model.
    """
    samples = len(first)
    shares = np.array([(~first & second).sum(), (first == second).sum(), (first & ~second).sum()]) / samples
    random = np.random.default_rng(how.seed)
    drawn = random.multinomial(
        samples, shares, size=how.resamples
    )  # draws from N values of which three differ
    interval = percentile((drawn[:, 2] - drawn[:, 0]) / samples, how.confidence)
    assert interval is not None
    return round(float(first.mean() - second.mean()), DIGITS), interval


def wilson(right: NDArray[np.int64], samples: NDArray[np.int64], confidence: float) -> tuple[Floats, Floats]:
    """Low and high ends for shares `right` / `samples`, elementwise (Wilson, 1927); sound for few samples."""
    z = float(special.ndtri((1 + confidence) / 2))
    share = right / samples
    centre = (share + z**2 / (2 * samples)) / (1 + z**2 / samples)
    half = z / (1 + z**2 / samples) * np.sqrt(share * (1 - share) / samples + z**2 / (4 * samples**2))
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
