"""Opens a picture once: its header, its pixels, or why it does not open. For the gate on the data.

The verdict and the pixels are those of `convoy.data.pixels` (a test compares the two on mutated files). Plain
PNG and JPEG, which most data are made of, take a shorter way: PNG by the checksums of its chunks and OpenCV,
JPEG by Pillow in one pass (OpenCV takes damaged ones for whole). Everything else, and everything that the
short way does not accept, goes to `pixels`, which has the last word.

    empty        no bytes, or no pixels
    truncated    the end is missing
    undecodable  damaged or unknown
    oversized    claims more pixels than allowed
"""

import io
import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convoy.data import pixels

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
# Chunks that change no pixel; with any other one (transparency, orientation, palettes, animation, ...)
# the picture is not plain.
_HARMLESS = {
    b"IDAT",
    b"IEND",
    b"pHYs",
    b"tIME",
    b"tEXt",
    b"bKGD",
    b"sRGB",
    b"gAMA",
    b"cHRM",
    b"hIST",
    b"sBIT",
}
_CHUNK = struct.Struct(">I4s")
_IHDR = struct.Struct(">IIBBBBB")
_MODES = {0: "L", 2: "RGB"}
_ORIENTATION = 0x0112
_CUT = re.compile(
    r"truncat|unexpected end|end of (file|data|input|stream)|\bEOF|not enough|incomplete|missing data"
    r"|broken PNG file|buffer is not large enough|requires a buffer|unpack_from|got 0 bytes|\b0 bytes",
    re.IGNORECASE,
)


class NotOpened(Exception):
    """The picture does not open. `reason`: empty, truncated, undecodable or oversized."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Glance:
    """A picture that opened.

    Attributes:
        width, height: as stored, before the EXIF orientation.
        mode: Pillow's.
        format: Pillow's name of it; "array" for packed sources.
        image: (H, W, 1 or 3) uint8, upright.
    """

    width: int
    height: int
    mode: str
    format: str
    image: NDArray[np.uint8]


def glance(content: bytes | NDArray[Any], max_pixels: int) -> Glance:
    """Open one picture.

    Raises:
        NotOpened: it does not open.
        MemoryError: it took more memory than this process may have.
    """
    if isinstance(content, bytes):
        found = None
        if content.startswith(_PNG):
            found = _plain_png(content, max_pixels)
        elif content.startswith(_JPEG):
            found = _plain_jpeg(content, max_pixels)
        if found is not None:
            return found
    try:
        header = pixels.inspect(content, max_pixels)
        image = pixels.decode(content, 3, max_pixels)
    except pixels.UndecodableImage as error:
        raise _reason(content, error) from None
    return Glance(header["width"], header["height"], header["mode"], header["format"], image)


def _plain_png(content: bytes, max_pixels: int) -> Glance | None:
    """8-bit grey or colour with sound checksums and nothing that changes pixels; None: not so plain."""
    if len(content) < 45 or content[12:16] != b"IHDR" or not content.endswith(_END):
        return None
    width, height, depth, colour, _, _, interlaced = _IHDR.unpack_from(content, 16)
    if depth != 8 or colour not in _MODES or interlaced or not 0 < width * height <= max_pixels:
        return None
    view = memoryview(content)
    at = len(_PNG)
    while at + 12 <= len(content):
        length, kind = _CHUNK.unpack_from(content, at)
        end = at + 8 + length
        if end + 4 > len(content) or (at > len(_PNG) and kind not in _HARMLESS):
            return None
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return None
        at = end + 4
        if kind == b"IEND":
            break
    if at != len(content):
        return None
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.shape[:2] != (height, width):
        return None
    if colour == 0:
        if image.ndim != 2:
            return None
        return Glance(width, height, "L", "PNG", np.asarray(image, np.uint8)[:, :, None])
    if image.ndim != 3 or image.shape[2] != 3:
        return None
    return Glance(width, height, "RGB", "PNG", np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))


def _plain_jpeg(content: bytes, max_pixels: int) -> Glance | None:
    """Grey or colour, upright; None: not so plain, or damaged."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
            width, height = picture.size
            if picture.format != "JPEG" or picture.mode not in ("L", "RGB"):
                return None
            if not 0 < width * height <= max_pixels:
                return None
            if "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) != 1:
                return None
            picture.load()
            image = np.asarray(picture)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # `pixels` says what it is
        return None
    return Glance(width, height, picture.mode, "JPEG", image if image.ndim == 3 else image[:, :, None])


def quiet() -> None:
    """For a process that does nothing else: no warnings, neither Pillow's nor OpenCV's."""
    from cv2.utils import logging

    warnings.simplefilter("ignore")
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)


def _reason(content: bytes | NDArray[Any], error: pixels.UndecodableImage) -> NotOpened:
    detail = str(error)
    if detail.startswith("MemoryError") or "Insufficient memory" in detail:
        raise MemoryError
    if (
        error.reason == "undecodable"
        and isinstance(content, bytes)
        and (_CUT.search(detail) or _cut(content))
    ):
        return NotOpened("truncated", f"the end is missing ({detail})")
    return NotOpened(error.reason, detail)


def _cut(content: bytes) -> bool:
    """Whether a file of a known kind ends before its own end mark, or before the length that it states."""
    if content.startswith(_PNG):
        return b"IEND" not in content[-16:]
    if content.startswith(_JPEG):
        return b"\xff\xd9" not in content[-1024:]
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    if content.startswith((b"GIF87a", b"GIF89a")):
        return not content.rstrip(b"\x00").endswith(b";")
    if content.startswith(b"BM"):
        return len(content) < int.from_bytes(content[2:6], "little")
    return False
