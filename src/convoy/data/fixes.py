"""Corrections of labels that a person made: a table in version control, laid over what the source says.

data/fixes.csv, one row a decision, in the order of the ids:

id      content id of the sample
path    locator, for people; of several copies `drop` removes the one that lies there
target  the label that the source gave when it was decided; empty: none
action  relabel, drop, or keep (the label is right: the check of labels is not to ask again)
label   of `relabel`: the right one

`convoy data fix` and `convoy data drop` write it; `ingest` applies it.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from convoy.data import manifest
from convoy.data.encodings import decode
from convoy.data.sources._base import Scan
from convoy.errors import DataError
from convoy.io import write_text

COLUMNS = ("id", "path", "target", "action", "label")
ACTIONS = ("relabel", "drop", "keep")
_EXAMPLES = 20


@dataclass(frozen=True, order=True)
class Fix:
    """A decision about a sample; the fields are the columns of the table.

    Attributes:
        target: empty where the source gives no label.
        line: where it stands in the file it was read from.
    """

    id: str
    target: str
    action: str
    path: str
    label: str = ""
    line: int = field(default=0, compare=False)

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)


def apply(scan: Scan, samples: pd.DataFrame, table: Path) -> pd.DataFrame:
    """The samples with the corrections of `table` (data/fixes.csv).

    A decision goes by content and label: all copies with that label are relabelled. What was done, and rows
    that concern nothing any more, are told in `scan.notes`.

    Args:
        scan: gives the classes; gets the notes.
        samples: columns of `scan.samples` and id.
        table: as `convoy data fix` writes it; a missing file corrects nothing.

    Raises:
        DataError: the table is damaged, or a row does not fit the data: the label has changed since, or there
            is no such class.
    """
    fixes = read(table)
    if not fixes:
        return samples
    overlay = _Overlay(scan, samples, table)
    for fix in fixes:
        overlay.add(fix)
    return overlay.result()


def read(table: Path) -> list[Fix]:
    """All decisions; none where there is no such file.

    Raises:
        DataError: the file is damaged; every line is named.
    """
    if not table.is_file():
        return []
    fixes, wrong = [], []
    first: dict[tuple[str, str, str], int] = {}
    for line, row in cells(table, COLUMNS):
        fix = Fix(**{name: row[name] for name in COLUMNS}, line=line)
        key = (fix.id, fix.target, fix.path if fix.action == "drop" else "")
        if not fix.id:
            wrong.append(f"line {line}: there is no id")
        elif fix.action not in ACTIONS:
            wrong.append(f"line {line}: {unknown('action', fix.action, ACTIONS)}")
        elif (fix.action == "relabel") != bool(fix.label):
            wrong.append(f"line {line}: {fix.action} goes {'with' if not fix.label else 'without'} a label")
        elif key in first:
            wrong.append(f"line {line}: {fix.id} is decided in line {first[key]} already")
        first.setdefault(key, line)
        fixes.append(fix)
    if wrong:
        raise refused(wrong, "row", table, "mend these lines, or restore the file from git")
    return fixes


def write(table: Path, fixes: Iterable[Fix]) -> None:
    """Write the table whole; the same decisions give the same bytes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(fix.cells for fix in sorted(fixes))
    write_text(table, buffer.getvalue())


def settled(table: Path) -> set[tuple[str, str]]:
    """(id, label) that a person has decided to be right.

    Raises:
        DataError: the file is damaged.
    """
    return {
        (fix.id, fix.label if fix.action == "relabel" else fix.target)
        for fix in read(table)
        if fix.action != "drop"
    }


def cells(file: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows of a table that a person may have edited in a spreadsheet, with the numbers of their lines.

    Comma, semicolon and tab separate; encodings are those of `convoy.data.encodings`; empty lines and other
    columns do not matter; blanks around a cell are taken away.

    Raises:
        DataError: it cannot be read, is no such table, or lacks a column.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read it: {error.strerror}", where=str(file), fix="name the table of decisions"
        ) from None
    text = decode(content, str(file)).text
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in needed if name not in names]
        if missing:
            raise DataError(
                f"the table has no column {', '.join(missing)}; it has {', '.join(names) or 'none'}",
                where=f"{file}:1",
                fix=f"its header is: {','.join(needed)}",
            )
        start = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                filled = [*row, *[""] * (len(names) - len(row))]
                rows.append((start, {name: filled[names.index(name)].strip() for name in needed}))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"the table is damaged: {error}", where=f"{file}:{reader.line_num}", fix="mend this line"
        ) from None
    return rows


def labels(samples: pd.DataFrame) -> list[str]:
    """The targets as the table writes them: empty where there is none."""
    targets = samples["target"].astype(object)
    return targets.where(targets.notna(), "").tolist()


def unknown(kind: str, given: str, choices: Sequence[str]) -> str:
    """A sentence about a name that is none of `choices`."""
    near = difflib.get_close_matches(given, choices, n=1, cutoff=0.5)
    some = ", ".join(choices[:_EXAMPLES]) + (", …" if len(choices) > _EXAMPLES else "")
    return f"no {kind} is called {given!r}" + (f"; did you mean {near[0]!r}?" if near else f" ({some})")


def refused(wrong: list[str], kind: str, file: Path, fix: str) -> DataError:
    """The error of a table with wrong rows: at most 20 of them, and their number."""
    shown = "\n".join(f"  {each}" for each in wrong[:_EXAMPLES])
    more = f"\n  and {len(wrong) - _EXAMPLES} more" if len(wrong) > _EXAMPLES else ""
    count = f"{len(wrong)} {kind}{'s' if len(wrong) > 1 else ''}"
    return DataError(f"{count} of the table cannot be used\n{shown}{more}", where=str(file), fix=fix)


class _Overlay:
    """The decisions laid over the samples, one by one; all compare with the source's own labels."""

    def __init__(self, scan: Scan, samples: pd.DataFrame, table: Path) -> None:
        self.scan, self.samples, self.table = scan, samples, table
        self.targets = labels(samples)
        self.paths = samples["path"].tolist()
        self.places: dict[str, list[int]] = {}
        for position, identity in enumerate(samples["id"].tolist()):
            self.places.setdefault(identity, []).append(position)
        self.known_classes = set(scan.classes)
        self.dropped: set[int] = set()
        self.labels: dict[int, str] = {}
        self.idle: list[str] = []
        self.wrong: list[str] = []

    def add(self, fix: Fix) -> None:
        copies = self.places.get(fix.id, [])
        if fix.action == "drop":
            copies = [place for place in copies if self.paths[place] == fix.path] or copies
        mine = [place for place in copies if self.targets[place] == fix.target]
        done = fix.action == "relabel" and all(self.targets[place] == fix.label for place in copies)
        if not copies or done or (not mine and fix.action == "keep"):
            self.idle.append(fix.path)
        elif not mine:
            label = self.targets[copies[0]] or "nothing"
            self.wrong.append(f"line {fix.line}: {fix.path} is labelled {label!r} now, not {fix.target!r}")
        elif fix.action == "drop":
            self.dropped.update(mine)
        elif fix.action == "relabel":
            self._relabel(fix, mine)

    def _relabel(self, fix: Fix, places: list[int]) -> None:
        if self.scan.task != "classification":
            self.wrong.append(f"line {fix.line}: {fix.path} has {self.scan.task}, no class to be corrected")
        elif fix.label not in self.known_classes:
            self.wrong.append(f"line {fix.line}: {unknown('class', fix.label, self.scan.classes)}")
        self.labels.update(dict.fromkeys(places, fix.label))

    def result(self) -> pd.DataFrame:
        if self.wrong:
            raise refused(
                self.wrong, "row", self.table, "decide anew about these samples, or remove the lines"
            )
        if len(self.dropped) == len(self.samples):
            raise DataError("every sample is dropped", where=str(self.table), fix="remove lines from it")
        relabelled = {place: label for place, label in self.labels.items() if place not in self.dropped}
        self._note(relabelled)
        samples = self._relabelled(relabelled) if relabelled else self.samples
        if self.dropped:
            kept = [place not in self.dropped for place in range(len(samples))]
            samples = samples[kept].reset_index(drop=True)
        return samples

    def _relabelled(self, labels: dict[int, str]) -> pd.DataFrame:
        """New labels say where they come from, and a problem that was the label's is solved."""
        columns: dict[str, list[Any]] = {"target": self.samples["target"].tolist()}
        columns["origin"] = self._column("origin")
        columns["problem"] = self._column("problem")
        for place, label in labels.items():
            columns["target"][place] = label
            columns["origin"][place] = self.table.name
            unread = manifest.content_id(f"unreadable:{self.paths[place]}".encode())
            if self.samples["id"].iloc[place] != unread:
                columns["problem"][place] = None
        if "problem" not in self.samples.columns:
            del columns["problem"]
        series = {n: pd.Series(c, index=self.samples.index, dtype=object) for n, c in columns.items()}
        return self.samples.assign(**series)

    def _column(self, name: str) -> list[Any]:
        if name not in self.samples.columns:
            return [None] * len(self.samples)
        return [None if pd.isna(value) else value for value in self.samples[name]]

    def _note(self, relabelled: dict[int, str]) -> None:
        done = f"{len(relabelled):,} relabelled, {len(self.dropped):,} dropped"
        self.scan.notes.append(f"{self.table.name}: {done}")
        if self.idle:
            some = ", ".join(self.idle[:_EXAMPLES]) + (", …" if len(self.idle) > _EXAMPLES else "")
            plural = "s have" if len(self.idle) > 1 else " has"
            self.scan.notes.append(
                f"{self.table.name}: {len(self.idle):,} row{plural} nothing to correct any more ({some})"
            )
