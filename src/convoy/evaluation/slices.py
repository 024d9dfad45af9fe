"""Slices: parts of the samples that share something, to see where a model is worse than on the whole.

By class; by the picture's width, height, file size and brightness; by colour mode and any other column of the
manifest that takes few values.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.evaluation.intervals import wilson
from convoy.evaluation.metrics import DIGITS

Mask = NDArray[np.bool_]

COLUMNS = ("slice", "samples", "accuracy", "low", "high", "difference")
LEAST = 20

_ANSWERS = (
    "id",
    "split",
    "path",
    "target",
    "prediction",
    "confidence",
    "loss",
    "error",
    "keypoints",
    "values",
)
_MEASURES = {
    "width": "width", "height": "height", "bytes": "file size",
    "characters": "characters", "words": "words", "tokens": "tokens", "unknown": "unknown tokens, %",
}  # fmt: skip
_FEW = 6  # values of a measure that are slices of their own
_FEW_VALUES = 20  # of any other column
_QUARTERS = ("darkest quarter", "second darkest quarter", "second brightest quarter", "brightest quarter")


def groups(table: pd.DataFrame, *, least: int = LEAST) -> dict[str, Mask]:
    """Name of each slice -> which rows it holds, (N,).

    Args:
        table: with any of the columns of the predictions table.
        least: smaller slices are left out, as are those that hold every row.
    """
    found: dict[str, Mask] = {}
    for name, mask in _all(table):
        count = int(mask.sum())
        if least <= count < len(table):
            found.setdefault(name, mask)
    return found


def report(table: pd.DataFrame, *, confidence: float, least: int = LEAST) -> pd.DataFrame:
    """Accuracy of each slice with Wilson's interval and its difference to the whole; the worst first.

    Args:
        table: rows of the predictions table.
        confidence: of the intervals.
    """
    right = (table["target"] == table["prediction"]).to_numpy()
    masks = groups(table, least=least)
    samples = np.array([mask.sum() for mask in masks.values()], dtype=np.int64)
    hits = np.array([(mask & right).sum() for mask in masks.values()], dtype=np.int64)
    low, high = wilson(hits, np.maximum(samples, 1), confidence)
    accuracy = hits / np.maximum(samples, 1)
    frame = pd.DataFrame(
        {
            "slice": list(masks),
            "samples": samples,
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "difference": accuracy - (right.mean() if len(right) else 0.0),
        },
        columns=list(COLUMNS),
    ).round(DIGITS)
    return frame.sort_values(
        ["accuracy", "samples", "slice"], ascending=[True, False, True], ignore_index=True
    )


def _all(table: pd.DataFrame) -> Iterator[tuple[str, Mask]]:
    if "target" in table:
        yield from _values("class", table["target"])
    for column in map(str, table.columns):
        if column in _ANSWERS or column.startswith(("p:", "t:", "y:")):
            continue
        values = table[column]
        if column == "brightness":
            yield from _brightness(values)
        elif column in _MEASURES:
            yield from _measure(_MEASURES[column], values)
        elif values.nunique() <= _FEW_VALUES:
            yield from _values(f"{column}:", values)


def _values(label: str, values: "pd.Series[Any]") -> Iterator[tuple[str, Mask]]:
    """One slice a value; missing ones are in none."""
    codes, names = pd.factorize(values, sort=True)
    for number, name in enumerate(names):
        yield f"{label} {name}", np.asarray(codes == number)


def _brightness(values: "pd.Series[Any]") -> Iterator[tuple[str, Mask]]:
    quarter = _quarter(values.to_numpy(np.float64))
    for number, name in enumerate(_QUARTERS):
        yield f"brightness: {name}", quarter == number


def _measure(label: str, values: "pd.Series[Any]") -> Iterator[tuple[str, Mask]]:
    """One slice a value where there are few; else quarters, named by what they hold."""
    numbers = values.to_numpy(np.float64)
    known = np.isfinite(numbers)
    distinct = np.unique(numbers[known])
    if len(distinct) <= _FEW:
        for value in distinct:
            yield f"{label}: {_whole(value)}", numbers == value
        return
    quarter = _quarter(numbers)
    for number in range(4):
        mask = quarter == number
        if mask.any():
            least, most = _whole(numbers[mask].min()), _whole(numbers[mask].max())
            if number == 0:
                yield f"{label}: up to {most}", mask
            elif number == 3:
                yield f"{label}: from {least}", mask
            else:
                yield f"{label}: {least} to {most}", mask


def _quarter(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 to 3 by quartile (N,), equal values together; -1 where there is no number."""
    known = np.isfinite(numbers)
    result = np.full(len(numbers), -1, dtype=np.int64)
    if known.any():
        edges = np.quantile(numbers[known], [0.25, 0.5, 0.75])
        result[known] = np.searchsorted(edges, numbers[known], side="left")
    return result


def _whole(value: float) -> str:
    return f"{value:.0f}"
