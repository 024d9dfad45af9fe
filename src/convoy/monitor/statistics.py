"""Two samples compared: is the difference beyond chance, and is it large?

A test alone alarms at every harmless difference once there are enough pictures; an effect size alone alarms
by chance where there are few. Drift is both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

BINS = 10
_LEAST_EXPECTED = 5.0  # of a cell of a chi-square test (Cochran 1954)


@dataclass(frozen=True)
class Difference:
    """Of a batch against the reference, in one measure.

    Attributes:
        test: KS (two-sample Kolmogorov-Smirnov) or chi-square (of homogeneity).
        statistic: D, the largest distance of the distribution functions; or Cramer's V. Both 0 to 1.
        p: of the test.
        psi: population stability index.
    """

    test: str
    statistic: float
    p: float
    psi: float


def of_numbers(reference: NDArray[Any], batch: NDArray[Any]) -> Difference:
    """Compare two samples of a number, (N,) and (M,), both with a value at least."""
    reference, batch = reference.astype(np.float64), batch.astype(np.float64)
    found: Any = stats.ks_2samp(reference, batch, method="asymp")
    edges = bin_edges(reference)
    counts = [np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) for x in (reference, batch)]
    return Difference("KS", float(found.statistic), float(found.pvalue), psi_of_counts(*counts))


def of_classes(reference: Sequence[str], batch: Sequence[str], classes: Sequence[str]) -> Difference:
    """Compare how often each class occurs; classes that are too rare for the test are taken together."""
    counts = [_counted(values, classes) for values in (reference, batch)]
    table = pooled(np.array(counts))
    psi = psi_of_counts(*counts)
    if table.shape[1] < 2:
        return Difference("chi-square", 0.0, 1.0, psi)
    found: Any = stats.chi2_contingency(table, correction=False)
    return Difference(
        "chi-square", float(np.sqrt(found.statistic / table.sum())), float(found.pvalue), psi
    )  # fmt: skip


def bin_edges(reference: Floats, bins: int = BINS) -> Floats:
    """Edges between about equally filled bins of the reference, with one more bin below and above it all.

    Equal values are never parted; a reference of one value has the bins less, equal, more.
    """
    inner = np.quantile(reference, np.arange(1, bins) / bins, method="inverted_cdf")
    below = np.nextafter(reference.min(), -np.inf)
    edges: Floats = np.unique(np.concatenate([[below], inner, [reference.max()]]))
    return edges


def psi(reference: Floats, batch: Floats) -> float:
    """The population stability index of two lists of shares, all above 0: sum of (b - r) ln(b / r).

    It is Jeffreys' divergence of the two. By custom (Siddiqi 2006) below 0.1 is stable, above 0.25 is large.
    """
    return float(((batch - reference) * np.log(batch / reference)).sum())


def psi_of_counts(reference: NDArray[np.int64], batch: NDArray[np.int64]) -> float:
    """The index of two lists of counts. Bins that are empty in both are left out; half a sample is added to
    each other bin, so that one empty bin is no infinite difference."""
    used = (reference + batch) > 0
    first, second = reference[used] + 0.5, batch[used] + 0.5
    return psi(first / first.sum(), second / second.sum())


def pooled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Columns of a table (2, K), the rare ones added up to one until each cell expects 5 or more."""
    total = counts.sum()
    smaller = counts.sum(axis=1).min()
    order = np.argsort(counts.sum(axis=0), kind="stable")
    columns = [counts[:, column] for column in order if counts[:, column].any()]
    while len(columns) > 1 and columns[0].sum() * smaller / total < _LEAST_EXPECTED:
        columns = sorted([columns[0] + columns[1], *columns[2:]], key=lambda column: int(column.sum()))
    return np.array(columns).T.reshape(2, -1)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted for the number of tests (Holm 1979): rejecting those below alpha is wrong in any of them with
    a probability of at most alpha, however the tests hang together."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return [float(value) for value in adjusted]


def _counted(values: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    place = {name: number for number, name in enumerate(classes)}
    return np.bincount([place[value] for value in values], minlength=len(classes)).astype(np.int64)
