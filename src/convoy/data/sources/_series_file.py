"""Files of the UCR and UEA archives of time series: .ts (of sktime and aeon) and .tsv.

.ts     header lines that begin with @, after @data a line a sample: its channels, separated by colons, the
        values of each by commas, the label last; ? or NaN is a missing value, # begins a comment
.tsv    a line a sample: the label, then the values of its one channel, separated by tabs (or commas); shorter
        ones end in NaN
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convoy.data import encodings
from convoy.errors import DataError

ENDINGS = (".ts", ".tsv")
_MISSING = frozenset({"?", "", "nan", "na"})
_TRUE = {"true": True, "false": False}
_ABOUT = {
    "problemname", "timestamps", "missing", "univariate", "dimensions", "dimension", "equallength",
    "serieslength", "classlabel", "targetlabel", "data",
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One line of a file.

    Attributes:
        line: from 1.
        values: (T, C); None where the line holds no sequence.
        problem: why; None: nothing is wrong. ragged: because its channels differ in length.
    """

    line: int
    label: str | None
    values: NDArray[np.float64] | None
    problem: str | None = None
    ragged: bool = False


@dataclass(frozen=True)
class SeriesFile:
    """A file.

    Attributes:
        classes: of its header, in that order; None: it has none.
        notes: sentences for the user.
    """

    series: list[Series]
    classes: list[str] | None
    notes: list[str]


def parse(content: bytes, name: str, *, labelled: bool = True) -> SeriesFile:
    """The lines of a file; what a line is, is said by its ending.

    Args:
        labelled: whether its header must name classes; without, labels are not looked at.

    Raises:
        DataError: the file is in no known encoding, its header is wrong, or names no classes.
    """
    found = encodings.decode(content, name)
    notes = [found.note] if found.note else []
    lines = enumerate(found.text.split("\n"), 1)
    if name.lower().endswith(".tsv"):
        return SeriesFile(list(_of_tsv(lines)), None, notes)
    classes = _header(lines, name)
    if classes is None and labelled:
        raise DataError(
            "the header names no classes", where=name, fix="it needs a line `@classLabel true A B …`"
        )
    return SeriesFile(list(_of_ts(lines, classes)), classes, notes)


def _header(lines: Iterator[tuple[int, str]], name: str) -> list[str] | None:
    """The classes that the header names, None where it names none; what follows are data."""
    classes: list[str] | None = None
    for number, line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{name}:{number}"
        key = words[0].removeprefix("@").lower()
        if not words[0].startswith("@") or key not in _ABOUT:
            raise DataError(
                f"{words[0][:40]!r} is no line of a header, and @data has not come",
                where=where,
                fix="a .ts file begins with lines such as @problemName and @classLabel, then @data",
            )
        if key == "data":
            break
        if key == "timestamps" and _TRUE.get(words[-1].lower(), False):
            raise DataError(
                "values with time stamps are not read", where=where, fix="save it with @timeStamps false"
            )
        if key == "classlabel" and len(words) > 2 and _TRUE.get(words[1].lower(), False):
            classes = words[2:]
    return classes


def _of_ts(lines: Iterator[tuple[int, str]], classes: list[str] | None) -> Iterator[Series]:
    known = set(classes or ())
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = text.split(":")
        label = parts.pop().strip() if classes is not None else None
        if not parts:
            yield Series(number, None, None, f"line {number} has no label behind a colon")
            continue
        problem = None if label is None or label in known else f"the label {label!r} is none of the header's"
        try:
            channels = [_numbers(part) for part in parts]
        except ValueError as error:
            yield Series(number, label, None, f"line {number}: {error}")
            continue
        lengths = [len(channel) for channel in channels]
        other = next((n for n, length in enumerate(lengths) if length != lengths[0]), None)
        if other is not None:
            said = (
                f"line {number}: channel {other + 1} has {lengths[other]} values, channel 1 has {lengths[0]}"
            )
            yield Series(number, label, None, said, ragged=True)
            continue
        yield Series(number, label if problem is None else None, np.stack(channels, axis=1), problem)


def _of_tsv(lines: Iterator[tuple[int, str]]) -> Iterator[Series]:
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        label, *cells = text.split("\t" if "\t" in text else ",")
        try:
            values = trimmed(_numbers(",".join(cells))[:, None])
        except ValueError as error:
            yield Series(number, label, None, f"line {number}: {error}")
            continue
        yield Series(number, plain_label(label.strip()), values)


def plain_label(label: str) -> str:
    """`1.0000000e+00`, as the archive's older files have it, is the class 1."""
    try:
        number = float(label)
    except ValueError:
        return label
    return str(int(number)) if number.is_integer() else label


def trimmed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, C) without the steps at its end at which nothing is known."""
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    return values[: known[-1] + 1] if len(known) else values[:0]


def _numbers(part: str) -> NDArray[np.float64]:
    """Raises:
    ValueError: one is none; it is named.
    """
    cells = part.split(",")
    try:
        return np.array(cells, np.float64)
    except ValueError:
        return np.array([_number(cell.strip()) for cell in cells])


def _number(cell: str) -> float:
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{cell[:40]!r} is no number") from None
