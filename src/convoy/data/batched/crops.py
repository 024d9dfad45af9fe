"""RandomResizedCrop and RandomCrop."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data.batched._base import (
    Drawn,
    Form,
    Images,
    Indices,
    Masks,
    Points,
    Random,
    Shape,
    choose,
)
from convoy.errors import ConfigError

Size = tuple[int, int]  # (height, width) in pixels

_ATTEMPTS = 10  # at a crop that lies inside the picture, as albumentations makes


@dataclass(frozen=True)
class Cropped(Drawn):
    boxes: Indices  # (n, 4) x_min, y_min, x_max, y_max, the ends outside
    size: Size  # of the result


class _CropForm(Form[Cropped]):
    def after(self, shape: Shape, drawn: Cropped) -> Shape:
        return shape[0], *drawn.size, shape[3]


class ResizedCropForm(_CropForm):
    """A crop of random area and shape, resized; without a `size`, to that of the images."""

    def draw(self, shape: Shape, random: Random) -> Cropped:
        chosen = choose(self.transform, shape, random)
        size: Size = (shape[1], shape[2])
        boxes = crop_boxes(self.transform, size, len(chosen), random)
        return Cropped(chosen, boxes, _target(self.transform, shape, size))

    def pixels(self, images: Images, drawn: Cropped) -> Images:
        return self._resized(images, drawn, "image")

    def masks(self, masks: Masks, drawn: Cropped) -> Masks:
        return self._resized(masks, drawn, "mask")

    def _resized(self, images: Images, drawn: Cropped, kind: str) -> Images:
        height, width = drawn.size
        same = (height, width) == images.shape[1:3]
        result = images if same else np.empty((len(images), height, width, images.shape[3]), np.uint8)
        for number, (left, top, right, bottom) in zip(drawn.chosen, drawn.boxes.tolist(), strict=True):
            crop: NDArray[Any] = images[number, top:bottom, left:right]
            if crop.shape[:2] != (height, width):
                how = self.interpolation((bottom - top, right - left), drawn.size, kind)
                crop = cv2.resize(crop, (width, height), interpolation=how).reshape(result.shape[1:])
            result[number] = crop
        return result

    def interpolation(self, crop: Size, size: Size, kind: str = "image") -> int:
        """OpenCV's flag for resizing a crop: AREA for shrinking where that was asked for."""
        area = self.transform.area_for_downscale
        if kind == "mask":
            flag = cv2.INTER_AREA if area == "image_mask" else self.transform.mask_interpolation
        elif area and (crop[0] > size[0] or crop[1] > size[1]):
            flag = cv2.INTER_AREA
        else:
            flag = self.transform.interpolation
        return int(flag)

    def points(self, points: Points, shape: Shape, drawn: Cropped) -> Points:  # noqa: ARG002
        left, top, right, bottom = drawn.boxes.T
        factors = np.stack([drawn.size[1] / (right - left), drawn.size[0] / (bottom - top)], axis=1)
        return _shifted(points, drawn, factors[:, None])


class RandomCropForm(_CropForm):
    """A crop of fixed size at a random place."""

    def draw(self, shape: Shape, random: Random) -> Cropped:
        height, width = self.transform.height, self.transform.width
        if height > shape[1] or width > shape[2]:
            raise ConfigError(
                f"RandomCrop wants {height} × {width} of pictures of {shape[1]} × {shape[2]}",
                where="params.yaml: augment.transforms",
                fix="put Pad before it, or lower its height and width",
            )
        chosen = choose(self.transform, shape, random)
        top = ((shape[1] - height + 1) * random.random(len(chosen))).astype(np.int64)
        left = ((shape[2] - width + 1) * random.random(len(chosen))).astype(np.int64)
        boxes = np.stack([left, top, left + width, top + height], axis=1)
        return Cropped(chosen, boxes, (height, width))

    def pixels(self, images: Images, drawn: Cropped) -> Images:
        rows = drawn.boxes[:, 1, None] + np.arange(drawn.size[0])
        columns = drawn.boxes[:, 0, None] + np.arange(drawn.size[1])
        cut: Images = images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None]]
        return cut

    def masks(self, masks: Masks, drawn: Cropped) -> Masks:
        return self.pixels(masks, drawn)

    def points(self, points: Points, shape: Shape, drawn: Cropped) -> Points:  # noqa: ARG002
        return _shifted(points, drawn, np.ones((len(drawn.chosen), 1, 2)))


def crop_boxes(transform: Any, size: Size, count: int, random: Random) -> Indices:
    """`count` draws of the crop of a `RandomResizedCrop`, (count, 4): x_min, y_min, x_max, y_max.

    Area and logarithm of the aspect ratio are uniform. Of ten attempts the first that lies inside the picture
    counts; where none does, the largest crop of a permitted ratio in the middle.
    """
    height, width = size
    low, high = transform.scale
    area = random.uniform(low * height * width, high * height * width, (count, _ATTEMPTS))
    narrow, wide = (math.log(ratio) for ratio in transform.ratio)
    ratio = np.exp(random.uniform(narrow, wide, (count, _ATTEMPTS)))
    widths, heights = (np.rint(np.sqrt(values)).astype(np.int64) for values in (area * ratio, area / ratio))
    inside = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    found = inside.any(axis=1)
    first = (np.arange(count), inside.argmax(axis=1))
    middle_height, middle_width = _middle(transform.ratio, size)
    crop_height = np.where(found, heights[first], middle_height)
    crop_width = np.where(found, widths[first], middle_width)
    top = ((height - crop_height + 1) * random.random(count)).astype(np.int64)
    left = ((width - crop_width + 1) * random.random(count)).astype(np.int64)
    top = np.where(found, top, (height - crop_height) // 2)
    left = np.where(found, left, (width - crop_width) // 2)
    return np.stack([left, top, left + crop_width, top + crop_height], axis=1)


def _middle(ratio: tuple[float, float], size: Size) -> Size:
    height, width = size
    if width / height < ratio[0]:
        return round(width / ratio[0]), width
    if width / height > ratio[1]:
        return height, round(height * ratio[1])
    return size


def _target(transform: Any, shape: Shape, size: Size) -> Size:
    wanted: Size = tuple(transform.size) if transform.size else size
    if wanted != size and transform.p < 1:
        raise ConfigError(
            f"{type(transform).__name__} with p below 1 would give pictures of two sizes, "
            f"{wanted[0]} × {wanted[1]} and {shape[1]} × {shape[2]}",
            where="params.yaml: augment.transforms",
            fix="leave out its size: the prepared pictures' size is then kept",
        )
    return wanted


def _shifted(points: Points, drawn: Cropped, factors: NDArray[np.float64]) -> Points:
    result = points.copy()
    corner = drawn.boxes[:, None, :2]
    result[drawn.chosen] = ((points[drawn.chosen] - corner) * factors).astype(points.dtype)
    return result


def of_random_resized_crop(transform: Any) -> ResizedCropForm:
    return ResizedCropForm(transform)


def of_random_crop(transform: Any) -> RandomCropForm | None:
    return None if transform.pad_if_needed or transform.p < 1 else RandomCropForm(transform)
