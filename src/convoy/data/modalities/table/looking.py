"""What rows look like, in a few numbers: what `convoy monitor` compares.

missing        values that are not there
column NAME    of every column whose value is a number
"""

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data.modalities.table.batching import ROW

if TYPE_CHECKING:
    from convoy.data.store import Store

FACTS: tuple[str, ...] = ()


def of_store(store: "Store", rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Numbers (len(rows),) of prepared samples; NaN where there is none."""
    found = [_measures(record) for record in records(store, rows)]
    names = list(dict.fromkeys(name for each in found for name in each))
    return {
        name: np.array([each.get(name, math.nan) for each in found], np.float32)
        for name in names
        if any(math.isfinite(each.get(name, math.nan)) for each in found)
    }


def of_sample(content: Any, sample: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Of one row, JSON."""
    record = json.loads(content) if isinstance(content, bytes | str) else {}
    return {name: value for name, value in _measures(record).items() if math.isfinite(value)}


def records(store: "Store", rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The rows themselves."""
    values, bounds = ragged.take(*store.field(ROW), rows)
    content, ends = values.tobytes(), bounds.tolist()
    return [json.loads(content[start:end]) for start, end in pairwise(ends)]


def _measures(record: dict[str, Any]) -> dict[str, float]:
    found = {"missing": float(sum(value is None for value in record.values()))}
    for name, value in record.items():
        try:
            number = math.nan if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number) or value is None:
            found[f"column {name}"] = number
    return found
