"""Sequences of the UCR and UEA archives: `NAME_TRAIN.ts` and `NAME_TEST.ts`, or `.tsv`; or one file.

`data.path` is the folder of one data set, or an archive of it. Files whose names end in _TRAIN, _VAL and
_TEST are the given splits. See `_series_file` for what is in them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.files import Files, open_place
from convoy.data.sources import _rows
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._labels import checked, column
from convoy.data.sources._series import Known, Ragged
from convoy.data.sources._series_file import ENDINGS, SeriesFile, parse
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder of one data set, or an archive of it"
_NAME = re.compile(r"(?P<name>.*?)(?:_(?P<side>train|val|test))?\.tsv?", re.IGNORECASE)


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each line of data, file by file.

    Raises:
        DataError: there is no file, there are several data sets, a file's header is wrong or it has no line.
    """
    files = open_place(root, _FIX)
    notes: list[str] = list(files.notes)
    classes: dict[str, None] = {}
    rows, found = [], _names(files)
    for split, name in found:
        parsed = _parsed(files, name)
        notes += parsed.notes
        labels = {each.label for each in parsed.series if each.label is not None}
        known = parsed.classes if parsed.classes is not None else sorted(labels)
        classes |= dict.fromkeys(known)
        for each in parsed.series:
            wrong = each.problem if each.values is not None or each.label is None else None
            origin = f"{name}:{each.line}"
            rows.append((f"{name}#{each.line}", each.label, split, origin, wrong))
    if not rows:
        raise DataError("the files hold no sample", where=files.place, fix="they need a line for each")
    samples = pd.DataFrame(rows, columns=["path", "target", "split", "origin", "problem"], dtype=object)
    samples = samples.drop(columns="problem") if samples["problem"].isna().all() else samples
    if "problem" in samples:
        samples["problem"] = column(samples["problem"].tolist())
    used = {name for _, name in found}
    ignored = sorted([*(name for name in files.names() if name not in used), *files.hidden()])
    in_order = list(classes) if found[0][1].lower().endswith(".ts") else _rows.in_order(classes)
    samples, names = checked(samples, in_order, data)
    return Scan(samples, names, ignored, list(dict.fromkeys(notes)))


def reader(root: Path, data: DataConfig) -> Reader:
    """Gives arrays (T, C), NaN where a value is missing."""
    files = open_place(root, _FIX)

    def series() -> Mapping[str, NDArray[Any] | DataError]:
        result: dict[str, NDArray[Any] | DataError] = {}
        for _, name in _names(files):
            for each in _parsed(files, name).series:
                kind = Ragged if each.ragged else DataError
                where = f"{name}:{each.line}"
                wrong = kind(f"{where}: {each.problem}", where=where, fix="mend or remove the line")
                result[f"{name}#{each.line}"] = wrong if each.values is None else each.values
        return result

    return Known(files.place, series).reader()


def _parsed(files: Files, name: str) -> SeriesFile:
    return parse(files.read(name), name)


def _names(files: Files) -> list[tuple[str | None, str]]:
    """Split and locator of each file, training first.

    Raises:
        DataError: there is none, or they are of several data sets.
    """
    there = [name for name in files.names() if name.lower().endswith(ENDINGS)]
    parts = [match for name in there if (match := _NAME.fullmatch(name)) is not None]
    sides = [match["side"].lower() if match["side"] else None for match in parts]
    if not parts:
        raise DataError("there is no .ts or .tsv file", where=files.place, fix=_FIX)
    sets = sorted({match["name"] for match in parts})
    if len(sets) > 1:
        raise DataError(f"there are several data sets: {listed(sets)}", where=files.place, fix=_FIX)
    if len(set(sides)) < len(sides) or (None in sides and len(sides) > 1):
        raise DataError(
            f"the files exclude each other: {listed(there)}", where=files.place, fix="keep one a split"
        )
    order = ("train", "val", "test", None)
    return sorted(zip(sides, there, strict=True), key=lambda each: order.index(each[0]))
