"""One JSON file of a place; what is wrong with it is told with its line and column."""

import difflib
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from convoy.data.files import Files
from convoy.errors import DataError

_FIX = "export it again; it must be whole and in UTF-8"


def present(files: Files, name: str) -> None:
    """Raise DataError where there is no such file; the message has the likeliest name."""
    names = files.names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise DataError(
            f"there is no file {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where=files.place,
            fix="data.table in params.yaml must name the export, by its path below data.path",
        )


@contextmanager
def collector_paused() -> Iterator[None]:
    """While the block runs, Python does not look for circles of objects.

    Millions of objects without circles are made from a large file, and looking at them all again and again
    takes longer than making them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load(files: Files, name: str) -> Any:
    """The content of a file. NaN and Infinity, which are no JSON but are often written, become floats.

    Raises:
        DataError: there is no such file, it is not UTF-8, no JSON, or nested too deeply.
    """
    present(files, name)
    content = files.read(name)
    try:
        with collector_paused():
            return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise _wrong(name, line, column, f"not UTF-8 (byte 0x{content[error.start]:02x})") from None
    except json.JSONDecodeError as error:
        raise _wrong(name, error.lineno, error.colno, f"no JSON: {error.msg}") from None
    except RecursionError:
        raise DataError("the JSON is nested too deeply", where=name, fix=_FIX) from None
    except ValueError as error:  # a whole number of more than 4,300 digits
        raise DataError(f"the JSON cannot be read: {error}", where=name, fix=_FIX) from None


def _wrong(name: str, line: int, column: int, what: str) -> DataError:
    return DataError(f"line {line}, column {column} is {what}", where=f"{name}:{line}:{column}", fix=_FIX)
