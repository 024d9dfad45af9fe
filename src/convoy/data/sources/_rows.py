"""Rows of tables as samples: paths found below the root, labels, groups, splits and times made uniform.

A row that is wrong by itself keeps its place and gets a `problem` that begins with its file and line.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.files import Files
from convoy.data.sources import _targets, _times
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._finder import Finder
from convoy.data.sources._labels import checked
from convoy.data.sources._tables import Column, Table
from convoy.errors import DataError

Values = NDArray[np.object_]
Known = tuple[str | None, str | None]  # value, problem
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_NOT_FINITE = {"nan", "inf", "infinity", "<na>", "#n/a"}
_AGAIN = re.compile(r"(.+)#([2-9]|[1-9][0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A table and what its rows have in common.

    Attributes:
        table: with the columns that `scan` is told of.
        folders: locators of the folders that its paths may start from, the first before the others; "" is the
            root.
        split: of all its rows; None: they say, or nothing does.
    """

    table: Table
    folders: tuple[str, ...] = ("",)
    split: str | None = None


def columns(image: str, target: str | None, data: DataConfig) -> list[str]:
    """The columns that `scan` reads."""
    own = [image, target, data.group_col, data.split_col, data.time_col]
    return [name for name in (*own, *_targets.columns(data)) if name]


def scan(
    root: Path, files: Files, parts: Sequence[Part], image: str, target: str | None, data: DataConfig
) -> Scan:
    """The samples of all rows, table by table.

    A picture that stands in several rows is one locator for the first of them; the n-th has "#n" behind it.

    Args:
        image: name of the column with paths.
        target: name of the column with labels; None where other columns are to be learned.

    Raises:
        DataError: there are no rows, or none of the pictures is there.
    """
    finder = Finder(root, files)
    notes = [*files.notes, *(note for part in parts for note in part.table.notes)]
    frames = [_frame(part, finder, image, target, data, notes) for part in parts]
    samples = pd.concat(frames, ignore_index=True)
    if samples.empty:
        names = listed([part.table.name for part in parts])
        raise DataError(f"{names} has no rows", where=files.place, fix="it needs a line for each picture")
    _refuse_strangers(samples, finder, parts, image)
    notes += spelt_alike(samples["target"]) if data.task == "classification" else []
    used = {*samples["path"], *(part.table.name for part in parts)}
    ignored = sorted([*(name for name in files.names() if name not in used), *files.hidden()])
    samples["path"] = _unique(samples["path"], finder)
    if samples["problem"].isna().all():
        samples = samples.drop(columns="problem")
    if data.task != "classification":
        return _targets.scanned(samples, data, ignored, list(dict.fromkeys(notes)))
    samples, classes = checked(samples, in_order(samples["target"].dropna().unique()), data)
    return Scan(samples, classes, ignored, list(dict.fromkeys(notes)))


def reader(files: Files) -> Reader:
    """Reads the files of locators, with or without "#n"."""

    def read(locator: str) -> bytes:
        again = _AGAIN.fullmatch(locator)
        if again is None:
            return files.read(locator)
        try:
            return files.read(locator)  # a file may be called so
        except DataError:
            return files.read(again[1])

    def stamp(locator: str) -> str | None:
        return files.stamp(locator) if _AGAIN.fullmatch(locator) is None else None

    return Reader(read, stamp)


def _frame(
    part: Part, finder: Finder, image: str, target: str | None, data: DataConfig, notes: list[str]
) -> pd.DataFrame:
    """The columns of `described`."""
    table = part.table
    origin = _origin(table)
    paths, missing = _located(_objects(table.columns[image]), finder, part.folders)
    paths = np.where(_none(paths), "#" + origin, paths)
    return described(table, paths.tolist(), missing.tolist(), target, data, notes, part.split)


def described(
    table: Table,
    paths: Sequence[str],
    missing: Sequence[str | None],
    target: str | None,
    data: DataConfig,
    notes: list[str],
    split: str | None = None,
) -> pd.DataFrame:
    """Columns path, target (or what else is learned), split, those of group and time that are asked for,
    origin and problem.

    Args:
        paths: the rows' locators.
        missing: why a row's content is not to be had; None where it is.
        target: name of the column with labels; None where other columns are to be learned.
        notes: sentences for the user are added here.
        split: of all rows, where they do not say.
    """
    cells = table.columns
    origin = _origin(table)
    problems = [_objects(list(missing))]
    found: dict[str, Any] = {"path": _objects(list(paths))}
    if data.task == "classification":
        assert target is not None
        found["target"], wrong = _mapped(_objects(cells[target]), lambda value: _label(value, data))
    else:
        learned, problem = _targets.read(cells, len(origin), data)
        found |= {name: _objects(values) for name, values in learned.items()}
        wrong = _objects(problem)
    problems.append(wrong)
    if data.split_col:
        found["split"], wrong = _mapped(_objects(cells[data.split_col]), _split)
        problems.append(wrong)
    else:
        found["split"] = np.full(len(origin), split, dtype=object)
    if data.group_col:
        found["group"], _ = _mapped(_objects(cells[data.group_col]), lambda value: (_plain(value), None))
    if data.time_col:
        codes, different = _different(_objects(cells[data.time_col]))
        times, wrong, said = _times.uniform([_plain(value) for value in different])
        found["time"] = times[codes]
        problems.append(wrong[codes])
        notes += said
    return pd.DataFrame({**found, "origin": origin, "problem": _joined(origin, problems)}, dtype=object)


def _origin(table: Table) -> Values:
    return np.array([f"{table.name}:{line}" for line in table.lines], dtype=object)


def _located(values: Values, finder: Finder, folders: tuple[str, ...]) -> tuple[Values, Values]:
    """Locators and problems, (N,) each; only paths that are not plainly right are looked at one by one."""
    prefix = f"{folders[0]}/" if folders[0] else ""
    right = np.fromiter((prefix + (value or "") in finder.known for value in values), bool, len(values))
    locators: Values = np.where(right, values, "").astype(object)
    if prefix:
        locators = _objects([prefix + locator for locator in locators])
    problems = np.full(len(values), None, dtype=object)
    if not right.all():
        locators[~right], problems[~right] = _mapped(
            values[~right], lambda value: finder.find(value, folders)
        )
    return locators, problems


def _mapped(values: Values, work: Callable[[str | None], Known]) -> tuple[Values, Values]:
    """`work` on each different value: results and problems, (N,) each."""
    codes, different = _different(values)
    both = np.empty((2, len(different)), dtype=object)
    for number, value in enumerate(different):
        both[:, number] = work(value)
    return both[0][codes], both[1][codes]


def _different(values: Values) -> tuple[NDArray[np.intp], list[str | None]]:
    codes, different = pd.factorize(values, use_na_sentinel=False)
    return codes, [None if value is None or value != value else str(value) for value in different]


def _plain(value: str | None) -> str | None:
    return unicodedata.normalize("NFC", value).strip() or None if value else None


def _label(value: str | None, data: DataConfig) -> Known:
    label = _plain(value)
    if label is None:
        return None, "the label is missing"
    if label.casefold().lstrip("+-") in _NOT_FINITE and label not in (data.classes or ()):
        return None, f"the label is {label!r}, which is no class"
    return label, None


def _split(value: str | None) -> Known:
    word = _plain(value)
    if word is None or word.casefold() in SPLITS:
        return (None if word is None else SPLITS[word.casefold()]), None
    return None, f"the split {word!r} is none of train, val, test"


def _joined(origin: Values, problems: list[Values]) -> Values:
    """One sentence a row, with its place; None where all is well."""
    result = np.full(len(origin), None, dtype=object)
    wrong = np.zeros(len(origin), bool)
    for some in problems:
        wrong |= ~_none(some)
    for row in np.flatnonzero(wrong):
        said = "; ".join(some[row] for some in problems if some[row] is not None)
        result[row] = f"{origin[row]}: {said}"
    return result


def _refuse_strangers(samples: pd.DataFrame, finder: Finder, parts: Sequence[Part], image: str) -> None:
    """Raise DataError where no picture is found at all: then a setting is wrong, and not the rows."""
    if samples["path"].isin(finder.known).any():
        return
    named = [value for part in parts for value in part.table.columns[image] if value and value.strip()]
    first = f"; the first is {named[0]!r}" if named else ""
    near = finder.near(named[0]) if named else None
    there = f", and {near!r} is there" if near else ""
    raise DataError(
        f"of the pictures that {listed([part.table.name for part in parts])} names in column {image!r}, "
        f"none is found{first}{there}",
        where=finder.place,
        fix="paths must start from data.path or from the table's folder, with the ending of the file",
    )


def _unique(paths: pd.Series, finder: Finder) -> pd.Series:
    """With "#n" behind the locators of pictures that stood in an earlier row."""
    again = paths.duplicated()
    if not again.any():
        return paths
    numbers = paths.groupby(paths).cumcount() + 1
    marked = paths.where(~again, paths + "#" + numbers.astype(str))
    clash = sorted(set(marked[again]) & finder.known)
    if clash:
        raise DataError(
            f"file names end like rows that come again: {listed([repr(name) for name in clash])}",
            where=finder.place,
            fix="rename these files, or leave one row for each picture",
        )
    return marked


def in_order(labels: Iterable[str]) -> list[str]:
    """Whole numbers by value, anything else by name."""
    labels = list(labels)
    if all(re.fullmatch(r"-?[0-9]{1,18}", label) for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def spelt_alike(targets: pd.Series) -> list[str]:
    """A note where labels differ in case or blanks alone."""
    spelt: dict[str, list[str]] = {}
    for label in targets.dropna().unique():
        spelt.setdefault("".join(label.casefold().split()), []).append(label)
    alike = sorted(", ".join(map(repr, sorted(labels))) for labels in spelt.values() if len(labels) > 1)
    if not alike:
        return []
    return [f"labels that differ in case or blanks alone are different classes: {listed(alike)}"]


def _objects(cells: Column) -> Values:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _none(values: Values) -> NDArray[np.bool_]:
    return np.fromiter((value is None for value in values), bool, len(values))
