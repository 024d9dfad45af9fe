import pytest

from convoy.data.encodings import decode
from convoy.errors import DataError

TEXT = "文件,标签\r\n一.png,猫\r\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("gb18030", True), ("gbk", True)],
)
def test_what_spreadsheets_write_is_read(encoding: str, said: bool) -> None:
    found = decode(TEXT.encode(encoding), "labels.csv")
    assert found.text == TEXT
    assert bool(found.note) == said
    assert not said or "labels.csv is not UTF-8 (line 1): read as gb18030" in found.note


def test_text_in_no_known_encoding_is_refused_with_its_line() -> None:
    content = b"path,label\na.png,cat\nb.png,\xff\xff\n"
    with pytest.raises(DataError, match=r"line 3 is not UTF-8 \(byte 0xff\) and not GB 18030") as error:
        decode(content, "labels.csv")
    assert error.value.where == "labels.csv:3"
    assert error.value.exit_code == 3


def test_a_damaged_byte_in_utf8_is_not_read_as_other_words() -> None:
    content = bytearray("路径,标签\n一.png,猫\n二.png,狗\n".encode())
    at = content.index("狗".encode())
    content[at : at + 3] = "狗".encode("gbk")  # by itself sound GB 18030
    with pytest.raises(DataError, match="line 3 is not UTF-8"):
        decode(bytes(content), "labels.csv")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_are_counted_by_any_line_end(ends: str) -> None:
    with pytest.raises(DataError, match="line 4"):
        decode(ends.join("abcd").encode() + b"\xff\xff", "x.csv")


def test_utf16_that_is_cut_is_refused() -> None:
    with pytest.raises(DataError, match="UTF-16"):
        decode("文件\n".encode("utf-16") + b"\x00", "x.csv")


def test_no_text_is_text() -> None:
    assert decode(b"", "x.csv").text == ""
