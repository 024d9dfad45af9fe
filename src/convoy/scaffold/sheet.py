"""The contact sheet: a row of pictures for each class."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convoy.data import fonts, pixels
from convoy.data.sources._base import Reader, Scan
from convoy.errors import DataError
from convoy.io import write_bytes
from convoy.scaffold.survey import MAX_PIXELS, spread, usable

MOST_CLASSES = 40

_ACROSS = 8
_TILE, _GAP, _TEXT = 112, 4, 18
_PAGE, _INK, _EMPTY = (255, 255, 255), (29, 31, 33), (228, 228, 226)
_BROKEN = (194, 65, 12)


def contact_sheet(scan: Scan, read: Reader, path: Path) -> Path:
    """Write a PNG: up to 40 classes, up to 8 pictures of each, evenly spread over its samples.

    A picture that does not open is a crossed tile. The same data give the same bytes.
    """
    samples = usable(scan)
    classes = scan.classes[:MOST_CLASSES] if scan.task == "classification" else [""]
    names = fonts.shown(classes)
    row = _TEXT + _TILE + 2 * _GAP
    sheet = Image.new("RGB", (_ACROSS * (_TILE + _GAP) + _GAP, len(classes) * row + _GAP), _PAGE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(str(fonts.FILE), 13)
    for number, (name, shown) in enumerate(zip(classes, names, strict=True)):
        mine = samples if scan.task != "classification" else samples[samples["target"] == name]
        paths: Sequence[str] = mine["path"].tolist()
        top = number * row + _GAP
        draw.text((_GAP, top), f"{shown}  {len(paths):,}", fill=_INK, font=font)
        for column, chosen in enumerate(spread(len(paths), _ACROSS)):
            place = (_GAP + column * (_TILE + _GAP), top + _TEXT)
            _paste(sheet, draw, place, _picture(paths[chosen], read))
    buffer = BytesIO()
    sheet.save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
    return path


def _picture(locator: str, read: Reader) -> NDArray[np.uint8] | None:
    try:
        return pixels.decode(read(locator), 3, MAX_PIXELS)
    except (pixels.UndecodableImage, DataError):
        return None


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, place: tuple[int, int], image: NDArray[np.uint8] | None
) -> None:
    left, top = place
    box = (left, top, left + _TILE - 1, top + _TILE - 1)
    draw.rectangle(box, fill=_EMPTY)
    if image is None:
        draw.line(box, fill=_BROKEN, width=3)
        draw.line((left, top + _TILE - 1, left + _TILE - 1, top), fill=_BROKEN, width=3)
        return
    picture = Image.fromarray(image)
    scale = _TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    picture = picture.resize(size, how)
    sheet.paste(picture, (left + (_TILE - size[0]) // 2, top + (_TILE - size[1]) // 2))
