"""Warps, symmetries, crops and padding by sampling positions."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from convoy.data.batched._base import per_channel
from convoy.data.batched.affine import AffineForm, Warped
from convoy.data.batched.crops import Cropped, RandomCropForm, ResizedCropForm
from convoy.data.batched.padding import Padded, PadForm, sources
from convoy.data.batched.symmetries import ELEMENTS, SymmetryForm, Turned
from convoy.data.device._base import placed, sent, whole

# OpenCV's flags -> grid_sample's modes; AREA warps as LINEAR does. (mode, align_corners) for the borders:
# REFLECT_101 mirrors about the outermost pixels' centres, REFLECT about their edges.
_MODES = {
    cv2.INTER_NEAREST: "nearest",
    cv2.INTER_LINEAR: "bilinear",
    cv2.INTER_AREA: "bilinear",
    cv2.INTER_CUBIC: "bicubic",
}
_BORDERS = {
    cv2.BORDER_CONSTANT: ("zeros", False),
    cv2.BORDER_REPLICATE: ("border", False),
    cv2.BORDER_REFLECT: ("reflection", False),
    cv2.BORDER_REFLECT_101: ("reflection", True),
}


def warps(form: AffineForm) -> bool:
    return form.transform.interpolation in _MODES and form.transform.border_mode in _BORDERS


def warp(form: AffineForm, batch: Tensor, drawn: Warped) -> Tensor:
    """Every sample by its matrix, those that were not chosen by the identity."""
    height, width = batch.shape[2:]
    back = np.linalg.inv(drawn.matrices)[:, :2]
    identity = np.broadcast_to(np.eye(3)[:2], (len(batch), 2, 3))
    matrices = sent(placed(back, drawn.chosen, identity), batch, torch.float32)
    y, x = _grid(height, width, batch)
    positions = torch.stack([x, y, torch.ones_like(x)], dim=-1).view(1, -1, 3)
    at = (positions @ matrices.transpose(1, 2)).view(len(batch), height, width, 2)
    how = form.transform
    return _sampled(batch, at, _MODES[how.interpolation], *_BORDERS[how.border_mode], fill=how.fill)


def _sampled(batch: Tensor, at: Tensor, mode: str, border: str, align: bool, fill: Any = 0) -> Tensor:
    """The batch at pixel positions (B, h, w, 2), rounded to whole values."""
    height, width = batch.shape[2:]
    size = torch.tensor([width, height], dtype=torch.float32, device=batch.device)
    grid = at * (2 / (size - 1).clamp(min=1)) - 1 if align else (at * 2 + 1) / size - 1
    shade = None
    if border == "zeros" and np.any(np.asarray(fill) != 0):  # outside counts as 0: make the fill that
        shade = sent(np.array(per_channel(fill, batch.shape[1])), batch, torch.float32).view(1, -1, 1, 1)
        batch = batch - shade
    result = grid_sample(batch, grid, mode=mode, padding_mode=border, align_corners=align)
    return whole(result if shade is None else result + shade)


def _grid(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """y and x of every pixel, each (height, width)."""
    rows = torch.arange(height, dtype=torch.float32, device=like.device)
    columns = torch.arange(width, dtype=torch.float32, device=like.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return y, x


def turn(form: SymmetryForm, batch: Tensor, drawn: Turned) -> Tensor:
    result = batch.clone()
    for element in np.unique(drawn.elements):
        mine = sent(drawn.chosen[drawn.elements == element], batch)
        result[mine] = _TURNS[ELEMENTS[element]](batch[mine])
    return result


_TURNS: dict[str, Any] = {
    "e": lambda batch: batch,
    "r90": lambda batch: torch.rot90(batch, 1, (2, 3)),
    "r180": lambda batch: batch.flip(2, 3),
    "r270": lambda batch: torch.rot90(batch, 3, (2, 3)),
    "v": lambda batch: batch.flip(2),
    "hvt": lambda batch: batch.flip(2, 3).transpose(2, 3),
    "h": lambda batch: batch.flip(3),
    "t": lambda batch: batch.transpose(2, 3),
}


def resizes(form: ResizedCropForm) -> bool:
    how = form.transform
    return how.interpolation in (cv2.INTER_LINEAR, cv2.INTER_NEAREST) and not how.area_for_downscale


def resized_crop(form: ResizedCropForm, batch: Tensor, drawn: Cropped) -> Tensor:
    """As cv2.resize places its samples: pixels are squares, and positions stop at the crop's own edges."""
    height, width = drawn.size
    whole_frame = np.tile(np.array([0, 0, batch.shape[3], batch.shape[2]]), (len(batch), 1))
    boxes = sent(placed(drawn.boxes, drawn.chosen, whole_frame), batch, torch.float32)
    left, top, right, bottom = (boxes[:, side, None, None] for side in range(4))
    y, x = _grid(height, width, batch)
    if form.transform.interpolation == cv2.INTER_NEAREST:
        x, y = (
            left + (x * ((right - left) / width)).floor(),
            top + (y * ((bottom - top) / height)).floor(),
        )
    else:
        x = left + ((x + 0.5) * ((right - left) / width) - 0.5)
        y = top + ((y + 0.5) * ((bottom - top) / height) - 0.5)
    at = torch.stack([x.clamp(left, right - 1), y.clamp(top, bottom - 1)], dim=-1)
    return _sampled(batch, at, _MODES[form.transform.interpolation], "border", align=False)


def crop(form: RandomCropForm, batch: Tensor, drawn: Cropped) -> Tensor:
    rows = drawn.boxes[:, 1, None] + np.arange(drawn.size[0])
    columns = drawn.boxes[:, 0, None] + np.arange(drawn.size[1])
    sample = torch.arange(len(batch), device=batch.device)[:, None, None]
    taken = batch[sample, :, sent(rows, batch)[:, :, None], sent(columns, batch)[:, None]]
    return taken.permute(0, 3, 1, 2)


def pad(form: PadForm, batch: Tensor, drawn: Padded) -> Tensor:
    shape = (len(batch), *batch.shape[2:], batch.shape[1])
    rows, columns = sources(shape, drawn.sides, form.transform.border_mode)
    result = batch[:, :, sent(np.maximum(rows, 0), batch)[:, None], sent(np.maximum(columns, 0), batch)]
    if form.transform.border_mode != cv2.BORDER_CONSTANT:
        return result
    outside: NDArray[np.bool_] = (rows < 0)[:, None] | (columns < 0)
    values = np.array(per_channel(form.transform.fill, batch.shape[1])).astype(np.uint8)
    shade = sent(values, batch, torch.float32).view(1, -1, 1, 1)
    return torch.where(sent(outside, batch), shade, result)
