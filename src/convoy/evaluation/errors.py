"""Errors of numbers and points: metrics of weighted samples, errors by value, the error that each slice has.

Every metric follows from sums over the samples, so the bootstrap (`convoy.evaluation.intervals`) resamples
them all at once. Distances of points are in multiples of a length that each sample brings (NME, normalised
mean error): that of two of its points, or the root of the area of the box around them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from convoy.data.objectives.regression import places
from convoy.data.store import Store
from convoy.evaluation.metrics import DIGITS
from convoy.evaluation.slices import groups

Floats = NDArray[np.float64]
CLOSE = 0.1  # of the length: within it a point counts as found (PCK)


@dataclass(frozen=True)
class Measured:
    """Targets and predictions (N, K) in the targets' units, NaN where a target is not known.

    Attributes:
        length: (N,) what distances of points are divided by; None: the numbers are no places.
    """

    target: Floats
    prediction: Floats
    length: Floats | None = None

    @property
    def distances(self) -> Floats:
        """Of points: how far each is from where it should be, (N, K / 2), in lengths."""
        assert self.length is not None
        apart = (self.prediction - self.target).reshape(len(self.target), -1, 2)
        found: Floats = np.hypot(apart[..., 0], apart[..., 1]) / self.length[:, None]
        return found

    @property
    def error(self) -> Floats:
        """Of each sample (N,): NME of points, else the mean absolute error."""
        each = np.abs(self.prediction - self.target) if self.length is None else self.distances
        found: Floats = np.nanmean(each, axis=1)
        return found


def targets(store: Store) -> Floats:
    """(N, K) of a prepared split."""
    if store.values is not None:
        return store.values.astype(np.float64)
    assert store.keypoints is not None
    return places(store.keypoints)


def lengths(target: Floats, preprocessor: Mapping[str, Any]) -> Floats | None:
    """(N,) of the samples' points; None where the numbers are no places."""
    if "points" not in preprocessor:
        return None
    points = target.reshape(len(target), -1, 2)
    ends = preprocessor["distance"]
    boxes = np.nanmax(points, axis=1) - np.nanmin(points, axis=1)
    box: Floats = np.sqrt(boxes[:, 0] * boxes[:, 1])
    if ends is None:
        return np.maximum(box, 1.0)
    apart = points[:, ends[0]] - points[:, ends[1]]
    found = np.hypot(apart[:, 0], apart[:, 1])
    return np.maximum(np.where(np.isnan(found), box, found), 1.0)  # of a profile both ends may be one


class Weighted:
    """Metrics of weighted samples: weights (N, B), not negative, give B values each."""

    area_work = 0

    def __init__(self, data: Measured) -> None:
        apart = data.prediction - data.target
        known = ~np.isnan(apart)
        per = known.sum(axis=1)
        rows = [
            np.nansum(np.abs(apart), axis=1),
            np.nansum(apart**2, axis=1),
            per,
            *np.where(known, data.target, 0.0).T,
            *(np.where(known, data.target, 0.0) ** 2).T,
            *np.where(known, apart, 0.0).T ** 2,
            *known.T,
        ]
        self._points = data.length is not None
        if self._points:
            distances = data.distances
            rows += [
                data.error,
                np.nanmean(np.where(np.isnan(distances), np.nan, distances <= CLOSE), axis=1),
            ]
        self._sums = np.array(rows, np.float64)
        self._values = data.target.shape[1]

    def sums(self, weights: Floats) -> dict[str, Floats]:
        """mae, rmse (over all known numbers), r2 (the mean of each number's); of points nme and pck_10."""
        found = self._sums @ weights
        size = self._values
        absolute, squared, count = found[:3]
        total, squares, residual, known = found[3 : 3 + 4 * size].reshape(4, size, -1)
        known = np.maximum(known, 1e-12)
        spread = squares - total**2 / known
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = np.where(spread > 1e-9 * np.maximum(squares, 1e-300), 1 - residual / spread, np.nan)
        values = {
            "mae": absolute / count,
            "rmse": np.sqrt(squared / count),
            "r2": np.nanmean(explained, axis=0) if np.isfinite(explained).any() else explained[0],
        }
        if self._points:
            samples = weights.sum(axis=0)
            values |= {"nme": found[-2] / samples, "pck_10": found[-1] / samples}
        return values

    def areas(self, weights: Floats) -> dict[str, Floats]:  # noqa: ARG002  # there are none
        return {}


def summary(data: Measured) -> dict[str, float]:
    """All metrics and the number of samples; of one sample there is no r2."""
    values = Weighted(data).sums(np.ones((len(data.target), 1)))
    found = {name: round(float(v[0]), DIGITS) for name, v in values.items() if np.isfinite(v[0])}
    return {**found, "samples": len(data.target)}


def by_value(data: Measured, names: Sequence[str]) -> pd.DataFrame:
    """Of each number: mean absolute and root mean squared error, bias (prediction less target), r2."""
    apart = data.prediction - data.target
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1 - np.nanmean(apart**2, axis=0) / np.nanvar(data.target, axis=0)
    columns = {
        "mae": np.nanmean(np.abs(apart), axis=0),
        "rmse": np.sqrt(np.nanmean(apart**2, axis=0)),
        "bias": np.nanmean(apart, axis=0),
        "r2": np.where(np.isfinite(r2), r2, np.nan),
    }
    return pd.DataFrame({"name": list(names), **columns}).round(DIGITS)


def by_point(data: Measured, names: Sequence[str]) -> pd.DataFrame:
    """Of each point: mean distance in lengths, and how often it is within CLOSE."""
    distances = data.distances
    close = np.where(np.isnan(distances), np.nan, distances <= CLOSE)
    columns = {"nme": np.nanmean(distances, axis=0), "pck_10": np.nanmean(close, axis=0)}
    return pd.DataFrame({"point": list(names), **columns}).round(DIGITS)


def slices(table: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Mean error of each slice with its interval (of the mean, normal) and its difference to the whole; the
    worst first.

    Args:
        table: rows of the predictions table, with `error`.
    """
    error = table["error"].to_numpy(np.float64)
    z = float(special.ndtri((1 + confidence) / 2))
    rows = []
    for name, mask in groups(table.drop(columns=["error"])).items():
        mine = error[mask]
        half = z * float(mine.std(ddof=1)) / np.sqrt(len(mine))
        mean = float(mine.mean())
        rows.append((name, len(mine), mean, max(0.0, mean - half), mean + half, mean - float(error.mean())))
    columns = ["slice", "samples", "error", "low", "high", "difference"]
    frame = pd.DataFrame(rows, columns=columns).round(DIGITS)
    return frame.sort_values(["error", "samples", "slice"], ascending=[False, False, True], ignore_index=True)
