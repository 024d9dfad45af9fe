"""Pictures as people look at them: small, kept by content id. Never what a model learns from.

JPEG is reduced while it is decoded (libjpeg's DCT scaling), which `convoy.data.pixels` must not do.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from convoy.data import pixels
from convoy.data._quiet import decoders_quiet
from convoy.data._threads import in_chunks
from convoy.data.sources._base import Reader
from convoy.errors import DataError
from convoy.io import atomic_path

SIDE = 176  # pixels on the longer side
_JPEG = b"\xff\xd8\xff"
_CHUNK = 8

Preview = NDArray[np.uint8]


def previews(
    ids: Sequence[str], paths: Sequence[str], read: Reader, max_pixels: int, cache: Path | None = None
) -> list[Preview | None]:
    """Of each sample its picture, (H, W, 1 or 3) uint8 of at most 176 pixels a side; None: it does not open.

    Args:
        ids: content ids, of
        paths: locators.
        read: gives the content of a locator.
        max_pixels: pictures that claim more are not opened.
        cache: a folder that may keep them; it may be deleted at any time.
    """

    def work(rows: range) -> list[Preview | None]:
        return [_one(ids[row], paths[row], read, max_pixels, cache) for row in rows]

    with decoders_quiet():
        return [each for part in in_chunks(work, len(ids), _CHUNK) for each in part]


def _one(identity: str, path: str, read: Reader, max_pixels: int, cache: Path | None) -> Preview | None:
    kept = None if cache is None else cache / identity[:2] / f"{identity}.png"
    if kept is not None:
        found = cv2.imdecode(_bytes(kept), cv2.IMREAD_UNCHANGED) if kept.is_file() else None
        if found is not None:
            return _channels(found)
    try:
        picture = _reduced(read(path), max_pixels)
    except (DataError, pixels.UndecodableImage):
        return None
    if kept is not None:
        _keep(kept, picture)
    return picture


def _reduced(content: bytes | NDArray[np.generic], max_pixels: int) -> Preview:
    picture = _jpeg(content, max_pixels) if isinstance(content, bytes) and content[:3] == _JPEG else None
    if picture is None:
        picture = pixels.decode(content, 3, max_pixels)
    if (picture == picture[:, :, :1]).all():
        picture = picture[:, :, :1]
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture.reshape(*picture.shape[:2], -1)


def _jpeg(content: bytes, max_pixels: int) -> Preview | None:
    """A JPEG, decoded in a fraction of its size; None where that does not go."""
    pixels.inspect(content, max_pixels)
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft(None, (2 * SIDE, 2 * SIDE))
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError):
        return None


def _channels(found: NDArray[Any]) -> Preview:
    """A file of the cache as it was: RGB, or one channel."""
    if found.ndim == 3:
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
    return np.asarray(found[:, :, None], np.uint8)


def _bytes(file: Path) -> NDArray[np.uint8]:
    """What is read; a single zero, which is no picture, where there is nothing."""
    try:
        return np.frombuffer(file.read_bytes() or b"\0", np.uint8)
    except OSError:
        return np.zeros(1, np.uint8)


def _keep(file: Path, picture: Preview) -> None:
    """A disk that is full is no error: the picture is opened again next time."""
    shown = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.shape[2] == 3 else picture
    encoded = cv2.imencode(".png", shown)[1].tobytes()
    try:
        with atomic_path(file) as temporary:
            temporary.write_bytes(encoded)
    except OSError:
        return
