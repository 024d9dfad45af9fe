"""Bytes or arrays to pixels, the one implementation that training, serving and every bundle share.

Self-contained on purpose (numpy, OpenCV, Pillow, the standard library): the file is copied into bundles.

Pillow decodes: it gives the header before the pixels, raises on truncated files and is exact about palettes
and alpha. OpenCV reads what Pillow does not know (HDR, colour PFM) and colour of 16 bits, and it resizes.

    alpha         composited over white
    16 bits       divided by 257 and rounded, never saturated
    float         0..1 becomes 0..255; other values are refused (Radiance HDR is clipped at 1)
    EXIF          the orientation is applied
    animations    the first frame
    grey, RGB     converted by OpenCV's fixed-point weights (ITU-R 601)
"""

import functools
import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from cv2.utils import logging as cv2_logging
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

Pixels = NDArray[np.uint8]
Content = bytes | NDArray[Any]
Box = tuple[int, int, int, int]  # top, left, rows, columns

_REFUSED = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}  # start other programs, or cannot be decoded
_MORE_EXTENSIONS = {".hdr", ".pic", ".pam"}
_ORIENTATION_TAG = 0x0112
# OpenCV's EXACT methods give the same bits with every processor; what `area` enlarges is linear, as ever.
_METHODS = {
    "area": cv2.INTER_LINEAR,
    "linear": cv2.INTER_LINEAR_EXACT,
    "cubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST_EXACT,
}
# What Pillow and OpenCV raise on files that are damaged; found by mutating files, see the tests.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    cv2.error,
)


class UndecodableImage(ValueError):
    """The content is not a whole picture. `reason` is one of empty, oversized, undecodable."""

    def __init__(self, detail: str, reason: str = "undecodable") -> None:
        super().__init__(detail)
        self.reason = reason


def extensions() -> frozenset[str]:
    """File name endings, lower case with the dot, of the formats that `decode` reads."""
    known = set(_formats())
    return (
        frozenset(e for e, name in Image.registered_extensions().items() if name in known) | _MORE_EXTENSIONS
    )


def inspect(content: Content, max_pixels: int) -> dict[str, Any]:
    """Read the header alone.

    Returns:
        width, height (as stored, before the EXIF orientation), mode (Pillow's), format.

    Raises:
        UndecodableImage: there is no readable header, or it claims more than `max_pixels`.
    """
    if isinstance(content, np.ndarray):
        height, width = content.shape[:2] if content.ndim >= 2 else (0, 0)
        _check_size(width, height, max_pixels)
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}.get(content.shape[2] if content.ndim == 3 else 1, "?")
        return {"width": width, "height": height, "mode": mode, "format": "array"}
    with _damage_reported():
        foreign = _foreign_header(content)
        if foreign is not None:
            width, height, kind = foreign
            _check_size(width, height, max_pixels)
            return {"width": width, "height": height, "mode": "RGB", "format": kind}
        with _opened(content, max_pixels) as image:
            facts = {"width": image.width, "height": image.height, "mode": image.mode}
            return {**facts, "format": image.format or "?"}


def decode(content: Content, channels: int, max_pixels: int) -> Pixels:
    """Decode one picture.

    Args:
        content: an encoded file, or pixels (H, W) or (H, W, 1 to 4) of uint8 or uint16.
        channels: 1 (grey) or 3 (RGB).
        max_pixels: a picture that claims more is refused before its pixels are read.

    Returns:
        (H, W, channels) uint8.

    Raises:
        UndecodableImage: the content is empty, too large, damaged or unknown; nothing else is raised.
    """
    if isinstance(content, np.ndarray):
        inspect(content, max_pixels)
        return _with_channels(_from_array(content), channels)
    with _damage_reported():
        foreign = _foreign_header(content)
        if foreign is not None:
            _check_size(foreign[0], foreign[1], max_pixels)
            return _with_channels(_decode_foreign(content, *foreign), channels)
        return _with_channels(_decode_pillow(content, max_pixels), channels)


def resize(image: Pixels, height: int, width: int, policy: str, interpolation: str = "area") -> Pixels:
    """Bring (H, W, C) uint8 to (height, width, C).

    Args:
        image: the picture.
        height: of the result, in pixels.
        width: of the result, in pixels.
        policy: `stretch` (ignores the aspect), `fit` (black borders), `cover` (the middle is kept).
        interpolation: `area` (averages where a side shrinks, linear where it grows), `linear`, `cubic` or
            `nearest`.
    """
    if interpolation not in _METHODS:
        raise ValueError(
            f"no interpolation is called {interpolation!r}; choose one of: {', '.join(_METHODS)}"
        )
    if image.shape[:2] == (height, width):
        return image
    source, target = placement(image.shape[0], image.shape[1], height, width, policy)
    scaled = _scale(_window(image, source), target[2], target[3], interpolation)
    if scaled.shape[:2] == (height, width):
        return scaled
    result = np.zeros((height, width, image.shape[2]), np.uint8)
    _window(result, target)[:] = scaled
    return result


def placement(rows: int, columns: int, height: int, width: int, policy: str) -> tuple[Box, Box]:
    """Which part of a picture of (rows, columns) pixels goes to which part of the result (height, width).

    Args:
        policy: as for `resize`.

    Returns:
        Two boxes (top, left, rows, columns), in pixels of the picture and of the result.
    """
    whole: Box = (0, 0, rows, columns)
    if policy == "stretch":
        return whole, (0, 0, height, width)
    if policy == "fit":
        scale = min(height / rows, width / columns)
        inner = _rounded(rows * scale, height), _rounded(columns * scale, width)
        return whole, ((height - inner[0]) // 2, (width - inner[1]) // 2, *inner)
    if policy == "cover":
        scale = max(height / rows, width / columns)
        kept = _rounded(height / scale, rows), _rounded(width / scale, columns)
        return ((rows - kept[0]) // 2, (columns - kept[1]) // 2, *kept), (0, 0, height, width)
    raise ValueError(f"no resize policy is called {policy!r}; choose one of: stretch, fit, cover")


def prepare(content: Content, spec: Mapping[str, Any]) -> Pixels:
    """Content to the network's input: decode, then resize.

    Args:
        content: as for `decode`.
        spec: height, width, channels, resize (a policy), interpolation (area where it is missing, as it was
            before there was a choice) and max_pixels.

    Returns:
        (height, width, channels) uint8, contiguous.

    Raises:
        UndecodableImage: as for `decode`.
    """
    return fitted(decode(content, spec["channels"], spec["max_pixels"]), spec)


def fitted(image: Pixels, spec: Mapping[str, Any]) -> Pixels:
    """The second half of `prepare`, for a picture that `decode` gave."""
    interpolation = spec.get("interpolation", "area")
    sized = resize(image, spec["height"], spec["width"], spec["resize"], interpolation)
    return np.ascontiguousarray(sized)


def _window(image: Pixels, box: Box) -> Pixels:
    top, left, rows, columns = box
    return image[top : top + rows, left : left + columns]


def _rounded(length: float, longest: int) -> int:
    return min(longest, max(1, round(length)))


def _scale(image: Pixels, height: int, width: int, interpolation: str) -> Pixels:
    """Of `area`: shrink the axes that shrink, then enlarge linearly those that grow. Else in one step."""
    smaller = (min(height, image.shape[0]), min(width, image.shape[1]))
    steps = [(smaller, cv2.INTER_AREA)] if interpolation == "area" else []
    for (rows, columns), method in [*steps, ((height, width), _METHODS[interpolation])]:
        if image.shape[:2] != (rows, columns):
            scaled = cv2.resize(np.ascontiguousarray(image), (columns, rows), interpolation=method)
            image = np.asarray(scaled, np.uint8).reshape(rows, columns, image.shape[2])
    return image


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise UndecodableImage("the picture has no pixels", "empty")
    if width * height > max_pixels:
        raise UndecodableImage(
            f"claims {width} x {height} pixels, more than the {max_pixels} allowed", "oversized"
        )


@contextmanager
def _damage_reported() -> Iterator[None]:
    """Errors of the decoders become UndecodableImage; messages hold no memory addresses."""
    try:
        with _silence:
            yield
    except UndecodableImage:
        raise
    except UnidentifiedImageError:
        raise UndecodableImage("not a picture in any known format") from None
    except Image.DecompressionBombError:
        raise UndecodableImage("claims more pixels than Pillow accepts at all", "oversized") from None
    except _DAMAGE as error:
        text = " ".join(re.sub(r" at 0x[0-9a-f]+", "", str(error)).split())
        raise UndecodableImage(f"{type(error).__name__}: {text}" if text else type(error).__name__) from None


class _Silence:
    """Switches off the decoders' warnings while any thread is inside; the last one restores the state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters: warnings.catch_warnings[None] | None = None
        self._level = cv2_logging.LOG_LEVEL_WARNING

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
                self._level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._filters is not None:
                cv2_logging.setLogLevel(self._level)
                self._filters.__exit__(None, None, None)
                self._filters = None


_silence = _Silence()


@functools.cache
def _formats() -> tuple[str, ...]:
    """Pillow's formats, the common ones first: they are tried in this order."""
    Image.init()
    common = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
    return common + tuple(sorted(set(Image.OPEN) - _REFUSED - set(common)))


def _opened(content: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """The picture with its header read and its size checked."""
    if not content:
        raise UndecodableImage("the file is empty", "empty")
    image: ImageFile.ImageFile = Image.open(io.BytesIO(content), formats=_formats())
    _check_size(image.width, image.height, max_pixels)
    return image


def _decode_pillow(content: bytes, max_pixels: int) -> Pixels:
    with _opened(content, max_pixels) as image:
        deep = image.format in ("PNG", "TIFF") and any(";16" in str(tile.args) for tile in image.tile)
        if image.format == "PNG":
            with _opened(content, max_pixels) as again:
                again.verify()  # checksums, which decoding does not look at
        turned = image.format == "TIFF" and _orientation(image) != 1  # Pillow turns these by itself
        image.load()
        _check_size(image.width, image.height, max_pixels)  # icons say their true size only now
        exact = _deep_colour(content, np.asarray(image)) if deep and not turned else None
        return _upright(_from_image(image) if exact is None else exact, _orientation(image))


def _deep_colour(content: bytes, coarse: Pixels) -> Pixels | None:
    """Colour of 16 bits, of which Pillow keeps the high bytes, `coarse`; None if OpenCV disagrees."""
    if coarse.ndim != 3:
        return None
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        return None
    fine = _from_bgr(np.asarray(decoded))
    if coarse.shape[2] == 2 and fine.ndim == 3:  # OpenCV makes RGBA of grey with alpha
        fine = fine[:, :, ::3]
    return _from_array(fine) if np.array_equal(fine >> 8, coarse) else None


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) else 1


def _upright(image: Pixels, orientation: int) -> Pixels:
    """Undo the turn that an EXIF orientation (1 to 8) stands for."""
    if orientation in (3, 4, 6, 7):
        image = image[::-1]
    if orientation in (2, 3, 7, 8):
        image = image[:, ::-1]
    return image.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else image


def _from_image(image: ImageFile.ImageFile) -> Pixels:
    """A loaded Pillow image as (H, W, 1 or 3)."""
    if image.mode.startswith("I;16"):
        grey = _from_array(np.asarray(image))
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            grey = np.where(np.asarray(image)[:, :, None] == np.uint16(transparent), np.uint8(255), grey)
        return grey
    if image.mode == "I":
        if image.format != "PPM":  # of which Pillow makes 0..65535
            raise UndecodableImage("whole numbers of 32 bits have no defined range")
        return _from_array(np.asarray(image).astype(np.uint16))
    if image.mode == "F":
        return _from_float(np.asarray(image))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        kept = 1 if image.mode in ("LA", "La", "L", "1") else 3
        plain = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)  # alpha already multiplied in
        clear = (image.convert(plain) if plain else image).convert("RGBA")
        return _from_array(np.asarray(clear))[:, :, :kept]
    if image.mode in ("1", "L"):
        return _from_array(np.asarray(image.convert("L")))
    return _from_array(np.asarray(image.convert("RGB")))


def _from_array(array: NDArray[Any]) -> Pixels:
    """(H, W) or (H, W, 1 to 4), uint8 or uint16, to (H, W, 1 or 3) uint8 without alpha."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise UndecodableImage(f"an array of shape {array.shape} is no picture")
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 257 is odd: no ties
    if array.dtype != np.uint8:
        raise UndecodableImage(f"an array of {array.dtype} is no picture; uint8 and uint16 are")
    if array.shape[2] in (2, 4):
        colour, alpha = array[:, :, :-1].astype(np.uint32), array[:, :, -1:].astype(np.uint32)
        return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return array


def _from_float(values: NDArray[Any]) -> Pixels:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise UndecodableImage("floating-point pixels outside 0..1 have no defined range")
    return _from_array(np.rint(values * 255).astype(np.uint8))


def _from_bgr(array: NDArray[Any]) -> NDArray[Any]:
    """OpenCV's channel order (BGR, BGRA) to RGB, RGBA."""
    if array.ndim == 3 and array.shape[2] in (3, 4):
        return array[:, :, [2, 1, 0, 3][: array.shape[2]]]
    return array


def _with_channels(image: Pixels, channels: int) -> Pixels:
    """(H, W, 1 or 3) to (H, W, channels)."""
    if image.shape[2] == channels:
        return np.ascontiguousarray(image)
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8)[:, :, None]


def _foreign_header(content: bytes) -> tuple[int, int, str] | None:
    """(width, height, kind) of a file that Pillow does not read; None for all others."""
    if content.startswith((b"#?RADIANCE", b"#?RGBE")):
        found = re.search(rb"\n-Y (\d{1,9}) \+X (\d{1,9})\n", content[:65536])
        kind, numbers = "HDR", found.group(2, 1) if found else None
    elif content.startswith(b"PF\n"):
        found = re.match(rb"PF\n(\d{1,9}) (\d{1,9})\n", content)
        kind, numbers = "PFM", found.group(1, 2) if found else None
    elif content.startswith(b"P7\n"):
        kind, numbers = "PAM", (_pam(content, b"WIDTH"), _pam(content, b"HEIGHT"))
    else:
        return None
    if numbers is None:
        raise UndecodableImage(f"the {kind} header is damaged")
    return int(numbers[0]), int(numbers[1]), kind


def _decode_foreign(content: bytes, width: int, height: int, kind: str) -> Pixels:
    if kind == "PAM":  # OpenCV exchanges red and blue
        depth, largest = _pam(content, b"DEPTH"), _pam(content, b"MAXVAL")
        item = np.dtype(np.uint8 if largest == 255 else ">u2")
        body = content.partition(b"ENDHDR\n")[2]
        if largest not in (255, 65535) or len(body) < width * height * depth * item.itemsize:
            raise UndecodableImage("the PAM file is truncated or of an unusual kind")
        return _from_array(np.frombuffer(body, item, width * height * depth).reshape(height, width, depth))
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (height, width):
        raise UndecodableImage(f"the {kind} file is damaged")
    array = _from_bgr(np.asarray(decoded))
    if array.dtype == np.float32:
        return _from_float(np.clip(array, 0, 1) if kind == "HDR" else array)
    return _from_array(array)


def _pam(content: bytes, field: bytes) -> int:
    """A number of a PAM file's header."""
    found = re.search(rb"^" + field + rb" +(\d{1,9})\s*$", content[:4096].partition(b"ENDHDR\n")[0], re.M)
    if found is None:
        raise UndecodableImage("the PAM header is damaged")
    return int(found[1])
