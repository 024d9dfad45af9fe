"""Files of lines `label text`: the label ends at the first blank or tab, the text is the rest.

`data.lines` names the files below `data.path` by split (`all`: the data name no split). Lines end in LF or
CR LF alone: other characters that end a line for Unicode belong to the text. Blank lines are skipped, a line
with a label and no text is a sample with an empty text, which the gate finds.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import encodings
from convoy.data.files import Files, open_place
from convoy.data.sources import _rows
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._labels import checked
from convoy.data.sources._texts import Texts
from convoy.errors import ConfigError, DataError

_FIX = "data.path in params.yaml must name the folder of the files in data.lines, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each line, file by file.

    Raises:
        ConfigError: data.encoding is none that there is.
        DataError: a file is not there, in another encoding (with line and byte), or holds no line.
    """
    files = open_place(root, _FIX)
    notes: list[str] = list(files.notes)
    rows = [
        (f"{name}#{line}", label, split, f"{name}:{line}")
        for split, name in _names(files, data)
        for line, label, _ in _lines(files, name, data, notes)
    ]
    if not rows:
        raise DataError("the files hold no line", where=files.place, fix="write `label text`, a line a text")
    samples = pd.DataFrame(rows, columns=["path", "target", "split", "origin"], dtype=object)
    used = {name for _, name in _names(files, data)}
    ignored = sorted([*(name for name in files.names() if name not in used), *files.hidden()])
    notes += _rows.spelt_alike(samples["target"])
    samples, classes = checked(samples, _rows.in_order(samples["target"].unique()), data)
    return Scan(samples, classes, ignored, list(dict.fromkeys(notes)))


def reader(root: Path, data: DataConfig) -> Reader:
    """Gives what follows the labels."""
    files = open_place(root, _FIX)

    def texts() -> Mapping[str, str]:
        return {
            f"{name}#{line}": text
            for _, name in _names(files, data)
            for line, _, text in _lines(files, name, data, [])
        }

    return Texts(files, texts).reader()


def _names(files: Files, data: DataConfig) -> list[tuple[str | None, str]]:
    """Split and locator of each file.

    Raises:
        DataError: one is not there; those that are, are named.
    """
    assert data.lines is not None
    there = set(files.names())
    missing = [name for name in data.lines.values() if name not in there]
    if missing:
        raise DataError(
            f"the data hold no file {missing[0]!r}; there are {listed(sorted(there)) or 'none'}",
            where=files.place,
            fix="data.lines in params.yaml names files below data.path",
        )
    return [(None if split == "all" else split, name) for split, name in data.lines.items()]


def _lines(files: Files, name: str, data: DataConfig, notes: list[str]) -> Iterator[tuple[int, str, str]]:
    """Number, label and text of each line that is not blank."""
    for number, line in enumerate(_decoded(files.read(name), name, data, notes).split("\n"), 1):
        label, _, text = line.strip(" \t\r").replace("\t", " ").partition(" ")
        if label:
            yield number, label, text.strip(" ")


def _decoded(content: bytes, name: str, data: DataConfig, notes: list[str]) -> str:
    if data.encoding is None:
        found = encodings.decode(content, name)
        notes += [found.note] if found.note else []
        return found.text
    try:
        return content.decode(data.encoding)
    except LookupError:
        raise ConfigError(
            f"there is no encoding {data.encoding!r}",
            where="params.yaml: data.encoding",
            fix="name one that Python knows, such as utf-8, gb18030 or latin-1",
        ) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"line {line} is not {data.encoding} (byte 0x{content[error.start]:02x})",
            where=f"{name}:{line}",
            fix="name the file's encoding in data.encoding, or save it as UTF-8",
        ) from None
