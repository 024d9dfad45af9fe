"""Pictures out of a multipart/form-data body, while it arrives; nothing goes to disk.

File names are only repeated in answers. No path is made of them.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from convoy.serving.limits import Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELDS = ("files", "file")
_NAME_LENGTH = 255


@dataclass
class Upload:
    """A file of the body."""

    name: str = ""
    content: bytearray = field(default_factory=bytearray)


async def read(content_type: str, chunks: AsyncIterator[bytes], most: int) -> list[Upload]:
    """The files of a body, in order.

    Raises:
        Refused: 415 not multipart, 400 not well-formed, 422 too many parts, a part that is no file, or none.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused(415, "send pictures as multipart/form-data, in the field `files`")
    form = _Form(most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise Refused(400, f"the form is not well-formed: {error}") from None
    if not form.ended:
        raise Refused(400, "the form is cut short")
    if not form.parts:
        raise Refused(422, "the form holds no file; send pictures in the field `files`")
    return form.parts


class _Form:
    def __init__(self, most: int) -> None:
        self._most = most
        self.parts: list[Upload] = []
        self.ended = False
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._describe,
            "on_part_data": lambda data, start, end: self.parts[-1].content.extend(data[start:end]),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == self._most:
            raise Refused(422, f"more than {self._most} fields in one request")
        self.parts.append(Upload())
        self._headers = {}

    def _header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _describe(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"")
        if name.decode("utf-8", "replace") not in FIELDS or b"filename" not in options:
            raise Refused(
                422, f"the field {_shown(name)!r} is not a file called `files`, and no other is known"
            )
        self.parts[-1].name = _shown(options[b"filename"])

    def _end(self) -> None:
        self.ended = True


def _shown(name: bytes) -> str:
    """A name without folders and control characters."""
    text = name.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in text if c.isprintable())[:_NAME_LENGTH]
