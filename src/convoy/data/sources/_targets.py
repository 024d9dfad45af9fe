"""What the rows of a table say is to be learned, where that is no single class: labels, numbers or points.

Labels: a cell with several names between `data.label_separator`, or a column of 0 and 1 each. Numbers: a
column each. Points: two columns each; where both are empty, the point is not known. A cell that is wrong is
its row's problem, with the column's name; nothing is guessed ("3,5" is no number).
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import labelling
from convoy.data.sources._base import Scan
from convoy.data.sources._tables import Column
from convoy.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_JOINS = "|;,/ "  # between the names of labels that have columns of their own
_SEEN = 2.0
_YES_NO = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
Read = tuple[dict[str, list[Any]], list[str | None]]


def columns(data: DataConfig) -> list[str]:
    """The columns that are read besides `data.target`."""
    points = data.points.pairs() if data.points is not None and data.points.columns is not None else ()
    return [*(data.label_cols or ()), *(data.value_cols or ()), *(name for pair in points for name in pair)]


def separator(data: DataConfig) -> str:
    """What stands between the labels of a target.

    Raises:
        DataError: no separator is left that the labels' names do not hold.
    """
    if data.label_separator is not None:
        return data.label_separator
    free = [each for each in _JOINS if not any(each in name for name in data.label_cols or ())]
    if not free:
        raise DataError("the names of data.label_cols hold every separator", fix="rename a column")
    return free[0]


def read(cells: Mapping[str, Column], rows: int, data: DataConfig) -> Read:
    """Columns target and, where they are learned, values or keypoints; what is wrong with each row."""
    if data.task == "labels":
        found, said = _labels(cells, rows, data)
        return {"target": found}, said
    nothing: list[Any] = [None] * rows
    if data.task == "values":
        assert data.value_cols is not None
        numbers, said = _numbers({name: cells[name] for name in data.value_cols}, rows)
        values = [None if wrong else row.tolist() for row, wrong in zip(numbers.T, said, strict=True)]
        return {"target": nothing, "values": values}, said
    points, said = _points(cells, rows, data)
    return {"target": nothing, "keypoints": points}, said


def scanned(samples: pd.DataFrame, data: DataConfig, ignored: list[str], notes: list[str]) -> Scan:
    """The rows as the source gives them; labels that `data.classes` does not name are problems."""
    if data.task != "labels":
        assert data.points is not None or data.value_cols is not None
        names = data.points.listed if data.points is not None else list(data.value_cols or ())
        return Scan(samples, [], ignored, notes, task=data.task, points=names)
    between = separator(data)
    held = sorted(
        {part for target in samples["target"].dropna() for part in labelling.parts(target, between)}
    )
    classes = list(data.classes or data.label_cols or held)
    known = set(classes)
    targets, problems = [], []
    told = samples["problem"].tolist() if "problem" in samples else [None] * len(samples)
    for target, problem in zip(samples["target"], told, strict=True):
        own = [] if target is None else labelling.parts(target, between)
        strange = sorted(set(own) - known)
        if strange and problem is None:
            problem = f"the label {strange[0]!r} is none of data.classes"
        problems.append(problem)
        targets.append(None if target is None or strange else labelling.joined(own, between, classes))
    samples = samples.assign(target=pd.Series(targets, dtype=object))
    if any(problems):
        samples = samples.assign(problem=pd.Series(problems, dtype=object))
    return Scan(samples, classes, ignored, notes, task="labels", separator=between)


def _labels(
    cells: Mapping[str, Column], rows: int, data: DataConfig
) -> tuple[list[str | None], list[str | None]]:
    between = separator(data)
    found: list[str | None] = []
    said: list[str | None] = []
    for row in range(rows):
        if data.label_cols is None:
            assert data.target is not None
            own, wrong = _named(cells[data.target][row], between)
        else:
            own, wrong = _marked({name: cells[name][row] for name in data.label_cols})
        if not own and wrong is None and data.unlabelled == "refuse":
            wrong = "it has no label (data.unlabelled: none takes it for one without any)"
        found.append(None if wrong else labelling.joined(own, between))
        said.append(wrong)
    return found, said


def _named(cell: Any, between: str) -> tuple[list[str], str | None]:
    names = [name.strip() for name in str(cell or "").split(between)]
    return [name for name in names if name], None


def _marked(cells: Mapping[str, Any]) -> tuple[list[str], str | None]:
    own = []
    for name, cell in cells.items():
        holds = _YES_NO.get(str("" if cell is None else cell).strip().casefold())
        if holds is None:
            return [], f"column {name!r} holds {cell!r}, neither 0 nor 1"
        if holds:
            own.append(name)
    return own, None


def _numbers(cells: Mapping[str, Column], rows: int, *, empty: bool = False) -> tuple[Any, list[str | None]]:
    """(columns, rows) float64, and what is wrong with each row.

    Args:
        empty: whether a cell may be so (NaN).
    """
    found = np.full((len(cells), rows), np.nan)
    said: list[str | None] = [None] * rows
    for number, (name, column) in enumerate(cells.items()):
        for row, cell in enumerate(column):
            text = "" if cell is None else str(cell).strip()
            if not text and empty:
                continue
            if not text:
                said[row] = said[row] or f"column {name!r} is empty"
            elif _NUMBER.fullmatch(text) and math.isfinite(value := float(text)):
                found[number, row] = value
            else:
                said[row] = said[row] or f"column {name!r} holds {text!r}, which is no finite number"
    return found, said


def _points(
    cells: Mapping[str, Column], rows: int, data: DataConfig
) -> tuple[list[list[float] | None], list[str | None]]:
    """Flat lists of x, y and visibility; pixel centres are whole numbers from 0."""
    assert data.points is not None
    pairs, names = list(data.points.pairs()), data.points.listed
    places, said = _numbers({name: cells[name] for pair in pairs for name in pair}, rows, empty=True)
    xy = places.reshape(len(pairs), 2, rows).transpose(2, 0, 1)  # (rows, points, 2)
    known = ~np.isnan(xy)
    flat = np.zeros((rows, len(pairs), 3))
    flat[:, :, :2] = np.where(known, xy - data.points.first_pixel, 0.0)
    flat[:, :, 2] = np.where(known.all(axis=2), _SEEN, 0.0)
    for row in np.flatnonzero((known[:, :, 0] != known[:, :, 1]).any(axis=1)).tolist():
        odd = int((known[row, :, 0] != known[row, :, 1]).argmax())
        said[row] = said[row] or f"point {names[odd]!r} has one of its two numbers"
    for row in np.flatnonzero(~known.any(axis=(1, 2))).tolist():
        said[row] = said[row] or "none of its points is known"
    return [None if wrong else row.reshape(-1).tolist() for row, wrong in zip(flat, said, strict=True)], said
