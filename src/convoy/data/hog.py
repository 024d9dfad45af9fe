"""Histograms of oriented gradients (Dalal & Triggs, 2005) of whole batches, in numpy.

OpenCV 5 has no HOGDescriptor any more; this one needs none.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data._threads import in_chunks

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]

ORIENTATIONS = 9  # over half a turn
_LEAST_CELL, _MOST_CELL, _MOST_CELLS = 4, 8, 8
CLIP = 0.2  # of a normalised block, before it is normalised again
_CHUNK = 64


def window(height: int, width: int) -> tuple[int, int, int] | None:
    """Cells down, cells across and pixels of a cell's side for pictures of this size; None where too small.

    A cell has 4 to 8 pixels; larger pictures are first reduced to 8 cells of 8 pixels a side.
    """
    cell = min(max(min(height, width) // _MOST_CELLS, _LEAST_CELL), _MOST_CELL)
    down, across = (min(side // cell, _MOST_CELLS) for side in (height, width))
    return (down, across, cell) if min(down, across) >= 2 else None


def features(images: Images) -> Floats:
    """Of pictures (N, H, W, C): blocks of 2×2 cells, L2-normalised, clipped and normalised again: (N, D).

    Pictures of less than two cells a side give their pixels.
    """
    shape = window(*images.shape[1:3])
    if shape is None:
        return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)

    def work(rows: range) -> Floats:
        return of_batch(images[rows.start : rows.stop], shape)

    return np.concatenate(list(in_chunks(work, len(images), _CHUNK)))


def of_batch(images: Images, shape: tuple[int, int, int]) -> Floats:
    down, across, cell = shape
    size = (across * cell, down * cell)
    pixels = np.stack(
        [cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], -1) for image in images]
    ).astype(np.float32)
    x, y = _gradients(pixels)
    strength = np.hypot(x, y)
    angle = np.mod(np.arctan2(y, x) * np.float32(ORIENTATIONS / np.pi), ORIENTATIONS)
    cells = np.empty((len(images), down, across, ORIENTATIONS), np.float32)
    for number in range(ORIENTATIONS):
        away = np.abs(angle - number)
        share = np.maximum(1 - np.minimum(away, ORIENTATIONS - away), 0) * strength
        cells[..., number] = _sums(share.reshape(len(images), down, cell, across, cell))
    corners = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
    blocks = _normalised(np.concatenate(corners, axis=-1))
    return _normalised(np.minimum(blocks, CLIP)).reshape(len(images), -1)


def _gradients(pixels: Floats) -> tuple[Floats, Floats]:
    """Central differences across and down, (N, H, W), of the channel whose gradient is steepest."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    x = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    y = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    if pixels.shape[3] == 1:
        return x[..., 0], y[..., 0]
    steepest = (x**2 + y**2).argmax(axis=3)[..., None]
    return np.take_along_axis(x, steepest, 3)[..., 0], np.take_along_axis(y, steepest, 3)[..., 0]


def _sums(cells: Floats) -> Floats:
    """Sums over axes 2 and 4, four times as fast as numpy's and in its order, so to the same bits."""
    side = cells.shape[4]
    columns = [cells[..., number] for number in range(side)]
    while side == 8 and len(columns) > 1:  # numpy adds eight neighbours in pairs
        columns = [left + right for left, right in zip(columns[::2], columns[1::2], strict=True)]
    across = sum(columns[1:], start=columns[0])
    return sum((across[:, :, number] for number in range(1, side)), start=across[:, :, 0])


def _normalised(blocks: Floats) -> Floats:
    result: Floats = blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + np.float32(1e-6))
    return result
