"""Text of tables that people made: UTF-8 with or without a mark, UTF-16 with one, else GB 18030 (or GBK)."""

import codecs
from dataclasses import dataclass

from convoy.errors import DataError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIX = "save it as UTF-8 (in a spreadsheet: `CSV UTF-8`)"


@dataclass(frozen=True)
class Text:
    """Decoded text.

    Attributes:
        text: without a byte order mark; line ends as they were.
        encoding: it was read in.
        note: a sentence for the user where the encoding was guessed; else empty.
    """

    text: str
    encoding: str
    note: str = ""


def decode(content: bytes, place: str) -> Text:
    """The text of a file.

    What is UTF-8 for the most part is not tried as anything else: a damaged byte would turn into other words.

    Args:
        place: the file, for messages.

    Raises:
        DataError: it is in none of these encodings; the line is named.
    """
    if content.startswith(_UTF16):
        try:
            return Text(content.decode("utf-16"), "utf-16")
        except UnicodeDecodeError as error:
            line = content[: error.start].decode("utf-16", "replace").count("\n") + 1
            raise _wrong(f"line {line} is not UTF-16, as its mark says", place, line) from None
    try:
        return Text(content.decode("utf-8-sig"), "utf-8")
    except UnicodeDecodeError as error:
        line, byte = _line(content, error.start), content[error.start]
    if _is_mostly_utf8(content):
        raise _wrong(f"line {line} is not UTF-8 (byte 0x{byte:02x}), the rest is", place, line)
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError as error:
        other = _line(content, error.start)
        also = "" if other == line else f", line {other} not GB 18030"
        what = f"line {line} is not UTF-8 (byte 0x{byte:02x}){also}"
        raise _wrong(what if also else f"{what} and not GB 18030", place, line) from None
    return Text(text, "gb18030", f"{place} is not UTF-8 (line {line}): read as gb18030")


def _is_mostly_utf8(content: bytes) -> bool:
    """Whether more characters beyond ASCII are sound UTF-8 than are not.

    About one in eight of the two-byte characters of GB 2312 are sound UTF-8 by chance.
    """
    replaced = content.decode("utf-8", "replace")
    wrong = replaced.count("\ufffd")
    return sum(character > "\x7f" for character in replaced) - wrong > wrong


def _line(content: bytes, offset: int) -> int:
    """Number of the line of a byte; lines end in LF, CR LF or CR."""
    return len((content[:offset] + b".").splitlines())


def _wrong(what: str, place: str, line: int) -> DataError:
    return DataError(what, where=f"{place}:{line}", fix=_FIX)
