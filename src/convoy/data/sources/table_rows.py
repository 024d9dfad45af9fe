"""Tables (CSV, TSV, Parquet, JSON lines, or plain files of values) whose rows are the samples.

`table` is one of them, `tables` are several by split. `target` is the column with the labels; `group_col`,
`split_col`, `time_col` and `id_col` say what they say, and nothing is learned from them, nor from columns
that `columns` says to ignore. All others are features.

A row's content is an object of JSON: its features as text, null where they are missing. Tables do hold equal
rows, of different people: the content of the n-th of them ends in n - 1 blanks, so that each has an id of its
own, which depends on nothing but contents. That they are equal, the check `near_duplicates` says; a split
keeps them together.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.files import Files, open_place
from convoy.data.sources import _plain_tables, _rows, _tables
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._labels import checked
from convoy.data.sources._texts import Texts
from convoy.data.sources.table import locator
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder of the table, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each row, table by table.

    Raises:
        DataError: a table is not there, cannot be read, lacks a column or has no rows, or two tables have
            other columns.
    """
    assert data.target is not None
    files = open_place(root, _FIX)
    parts = _parts(files, data)
    _features(parts[0][1], data)
    notes = [*files.notes, *(note for _, table in parts for note in table.notes)]
    frames = []
    for split, table in parts:
        paths = [f"{table.name}#{line}" for line in table.lines]
        frame = _rows.described(table, paths, [None] * len(paths), data.target, data, notes, split)
        if data.id_col:
            named = zip(frame["origin"], table.columns[data.id_col], strict=True)
            _name(frame, [f"{origin} ({name})" if name else origin for origin, name in named])
        frames.append(frame)
    samples = pd.concat(frames, ignore_index=True)
    if samples.empty:
        names = listed([table.name for _, table in parts])
        raise DataError(f"{names} has no rows", where=files.place, fix="it needs a line for each sample")
    samples = samples.drop(columns="problem") if samples["problem"].isna().all() else samples
    notes += _rows.spelt_alike(samples["target"])
    used = {table.name for _, table in parts}
    ignored = sorted([*(name for name in files.names() if name not in used), *files.hidden()])
    samples, classes = checked(samples, _rows.in_order(samples["target"].dropna().unique()), data)
    return Scan(samples, classes, ignored, list(dict.fromkeys(notes)))


def _name(frame: pd.DataFrame, origins: list[str]) -> None:
    """Say in origins and problems which row it is."""
    told = zip(frame["problem"], frame["origin"], origins, strict=True)
    frame["problem"] = [said and said.replace(old, new, 1) for said, old, new in told]
    frame["origin"] = origins


def reader(root: Path, data: DataConfig) -> Reader:
    """Gives the features of a row as JSON."""
    files = open_place(root, _FIX)

    def contents() -> Mapping[str, str]:
        parts = _parts(files, data)
        names = _features(parts[0][1], data)
        found: dict[str, str] = {}
        seen: Counter[str] = Counter()
        for _, table in parts:
            columns = [table.columns[name] for name in names]
            for line, values in zip(table.lines, zip(*columns, strict=True), strict=True):
                row = json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)
                found[f"{table.name}#{line}"] = row + " " * seen[row]
                seen[row] += 1
        return found

    return Texts(files, contents).reader()


def _features(table: _tables.Table, data: DataConfig) -> list[str]:
    """Raises:
    DataError: none is left.
    """
    said = {data.target, data.group_col, data.split_col, data.time_col, data.id_col}
    said |= {name for name, kind in (data.columns or {}).items() if kind == "ignore"}
    names = [name for name in table.columns if name not in said]
    if not names:
        raise DataError(
            "no column is left to learn from",
            where=table.name,
            fix="the table needs others beside the target",
        )
    return names


def _parts(files: Files, data: DataConfig) -> list[tuple[str | None, _tables.Table]]:
    """Split and table of each file, the labels as they are meant.

    Raises:
        DataError: see `scan`.
    """
    assert data.target is not None
    layout = _plain_tables.layout_of(data)
    named = data.tables or {"all": data.table or ""}
    parts: list[tuple[str | None, _tables.Table]] = []
    for split, given in named.items():
        table = _plain_tables.read(files, locator(files, given), layout)
        columns = list(table.columns)
        _tables.found(
            columns, [*_rows.columns(data.target, data.target, data), *(data.columns or {})], table.name
        )
        _tables.found(columns, [data.id_col] if data.id_col else [], table.name)
        if parts and set(columns) != set(parts[0][1].columns):
            _refuse_other_columns(parts[0][1], table)
        if layout.strip_label:
            labels = table.columns[data.target]
            table.columns[data.target] = [
                label and label.strip(layout.strip_label).strip() for label in labels
            ]
        parts.append((None if split == "all" else split, table))
    return parts


def _refuse_other_columns(first: _tables.Table, other: _tables.Table) -> None:
    lacks = [repr(name) for name in first.columns if name not in other.columns]
    more = [repr(name) for name in other.columns if name not in first.columns]
    said = [f"lacks {listed(lacks)}"] if lacks else []
    said += [f"has {listed(more)} besides"] if more else []
    raise DataError(
        f"the table {' and '.join(said)}, unlike {first.name}",
        where=other.name,
        fix="give both tables the same columns; a renamed one needs its name back",
    )
