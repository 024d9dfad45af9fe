"""Files of lines `label text`: whether a file is one, which encoding it is in, which split its name tells."""

import codecs
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convoy.errors import ConfigError, DataError

_SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_PART = re.compile(r"[^0-9A-Za-z]+")
_NOT_TEXT = (".json", ".jsonl", ".csv", ".parquet", ".pq", ".npz", ".npy", ".yaml", ".yml", ".md", ".html",
             ".xml", ".gz", ".zip", ".tar", ".py", ".log")  # fmt: skip
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LARGEST = 1 << 30  # bytes
_LEAST = 4  # lines
_MOST_LABELS = 1_000
_ALONE = 0.01  # share of lines whose label stands nowhere else; of prose, whose first words differ, far more
_EMPTY = 0.1  # share of lines with a label and no text
_PAIRED = 0.8


@dataclass(frozen=True)
class Lines:
    """A file that is one.

    Attributes:
        name: locator.
        encoding: None: plain ASCII, which all of them contain.
    """

    name: str
    encoding: str | None


def may_be(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() not in _NOT_TEXT


def recognised(name: str, content: bytes, encoding: str | None) -> Lines | None:
    """The file as lines `label text`; None where it is something else.

    Args:
        encoding: that the user named.

    Raises:
        ConfigError: there is no such encoding.
        DataError: the lines look right, and their encoding cannot be told.
    """
    _check(encoding)
    marked = content.startswith(_UTF16)
    if len(content) > _LARGEST or (b"\0" in content[:4096] and not marked):
        return None
    plain = content.decode(encoding or ("utf-16" if marked else "latin-1"), "replace")
    if not _shaped(plain):
        return None
    return Lines(name, encoding or guess(content, name)[0])


def _check(encoding: str | None) -> None:
    """Raises:
    ConfigError: Python knows no such encoding.
    """
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise ConfigError(
            f"there is no encoding {encoding!r}",
            where="--encoding",
            fix="name one that Python knows, such as utf-8, gb18030 or latin-1",
        ) from None


def guess(content: bytes, name: str) -> tuple[str | None, str]:
    """(encoding, note): None for plain ASCII; the note is empty where nothing was guessed.

    Bytes beyond ASCII that stand alone between ASCII letters are Latin-1 (Windows' form where it has the
    characters of that); pairs that begin as the frequent characters of GB 2312 do are GB 18030. Nothing else
    is guessed.

    Raises:
        DataError: it is none of these.
    """
    if content.isascii():
        return None, ""
    if content.startswith(_UTF16):
        return "utf-16", ""
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content[: error.start].count(b"\n") + 1, content[error.start]
    else:
        return "utf-8", ""
    where = f"line {line} is not UTF-8 (byte 0x{byte:02x})"
    runs = re.findall(rb"[\x80-\xff]+", content)
    alone = sum(len(run) == 1 for run in runs)
    pairs = [run[place] for run in runs for place in range(0, len(run) - 1, 2)]
    frequent = sum(0xA1 <= lead <= 0xA3 or 0xB0 <= lead <= 0xD7 for lead in pairs)
    if alone >= len(runs) / 2:
        windows = re.search(rb"[\x80-\x9f]", content) is not None
        found = "cp1252" if windows and _decodes(content, "cp1252") else "latin-1"
    elif pairs and frequent >= _PAIRED * len(pairs) and _decodes(content, "gb18030"):
        found = "gb18030"
    else:
        raise DataError(
            f"{where}, and its encoding cannot be told",
            where=f"{name}:{line}",
            fix="name it: --encoding NAME",
        )
    return found, f"{where}; guessed {found}"


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _shaped(text: str) -> bool:
    """Whether lines begin with few words that come again and again."""
    lines = [line for line in text.split("\n") if line.strip()]
    counts = _labels(text)
    alone = sum(count == 1 for count in counts.values())
    empty = sum(len(line.split(maxsplit=1)) < 2 for line in lines)
    return (
        len(lines) >= _LEAST
        and 2 <= len(counts) <= _MOST_LABELS
        and alone <= _ALONE * len(lines)
        and empty <= _EMPTY * len(lines)
        and not any(label.endswith((",", ";", ":")) for label in counts)  # rows of a table, or keys
    )


def _labels(text: str) -> Counter[str]:
    return Counter(line.split(maxsplit=1)[0] for line in text.split("\n") if line.strip())


def sets(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Files by what their names have in common; in each set by split, `all` for one that names none."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        split, rest = split_of(name)
        found.setdefault(rest, {})[split] = name
    order = ("all", "train", "val", "test")
    return {
        rest: {split: members[split] for split in order if split in members}
        for rest, members in found.items()
    }


def split_of(name: str) -> tuple[str, str]:
    """(split, the name without the word that tells it)."""
    folder, base = posixpath.split(name)
    words = _PART.split(base)
    sides = [word for word in words if word.lower() in _SPLITS]
    if len(sides) != 1:
        return "all", name
    return _SPLITS[sides[0].lower()], posixpath.join(folder, base.replace(sides[0], "*", 1))


def common(members: Sequence[Lines]) -> str | None:
    """The encoding of several files, for `data.encoding`; None: the source finds it by itself.

    Raises:
        ConfigError: they are in different ones.
    """
    found = {member.encoding for member in members if member.encoding is not None}
    if len(found) > 1:
        said = ", ".join(f"{member.name}: {member.encoding or 'ascii'}" for member in members)
        raise ConfigError(
            f"the files are in different encodings ({said})", where="--encoding", fix="save all as UTF-8"
        )
    return next(iter(found - {"utf-8", "utf-16"}), None)
