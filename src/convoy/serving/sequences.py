"""Sequences for `convoy predict`: files of one each, folders of such, files of the UCR archive with many."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convoy.data.sources import _series_file
from convoy.errors import DataError

ONE = (".csv", ".wav", ".json", ".txt")  # a file a sample


def read(paths: Sequence[Path]) -> tuple[list[str], list[Any]]:
    """Names ("file", or "file:line") and contents: a path, or an array (T, C).

    Raises:
        DataError: a path does not exist, a folder holds no such file, a file of many is damaged.
    """
    names: list[str] = []
    contents: list[Any] = []
    for path in paths:
        for file in _files(path):
            if file.suffix.lower() not in _series_file.ENDINGS:
                names.append(str(file))
                contents.append(file)
                continue
            for each in _series_file.parse(_content(file), str(file), labelled=False).series:
                if each.values is None:
                    fix = "mend or remove the line"
                    raise DataError(str(each.problem), where=f"{file}:{each.line}", fix=fix)
                names.append(f"{file}:{each.line}")
                contents.append(each.values)
    return names, contents


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError("there is no such file or folder", where=str(path))
    if not path.is_dir():
        return [path]
    known = (*ONE, *_series_file.ENDINGS)
    found = [each for each in sorted(path.rglob("*")) if each.suffix.lower() in known and each.is_file()]
    if not found:
        raise DataError(f"the folder holds no file that ends in {', '.join(known)}", where=str(path))
    return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror}", where=str(path)) from None
