"""Keypoints that follow their pictures when these are resized."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import pixels
from convoy.errors import DataError

_MOST_NAMED = 20


def table(lists: Sequence[Any], paths: Sequence[str]) -> NDArray[np.float64]:
    """(N, K, 3) from the sample table's column: flat lists x, y, visibility; a missing list is all zeros.

    Raises:
        DataError: samples differ in the number of their points.
    """
    lengths = [0 if points is None else len(points) for points in lists]
    longest = max(lengths, default=0)
    odd = [path for path, length in zip(paths, lengths, strict=True) if length not in (0, longest)]
    if odd or longest % 3:
        raise DataError(
            f"{len(odd) or len(paths)} samples have another number of keypoints than {longest / 3:g}: "
            + ", ".join(odd[:_MOST_NAMED]),
            fix="give every sample x, y and visibility of every point",
        )
    result = np.zeros((len(lists), longest), np.float64)
    for row, points in enumerate(lists):
        if points is not None:
            result[row, : len(points)] = points
    return result.reshape(len(lists), -1, 3)


def resized(
    points: NDArray[np.float64], sizes: NDArray[np.integer], spec: Mapping[str, Any]
) -> NDArray[np.float32]:
    """Where the points (N, K, 3) lie in pictures that `pixels.prepare` resized.

    Pixel centres are whole numbers, so x becomes (x + 0.5) * scale - 0.5, as OpenCV maps pixels. A point that
    falls outside (`cover` crops) keeps its place and gets visibility 0.

    Args:
        sizes: (N, 2) rows and columns of the pictures before, upright.
        spec: height, width and resize.
    """
    result = points.copy()
    unique, of = np.unique(sizes, axis=0, return_inverse=True)
    for number, (rows, columns) in enumerate(unique.tolist()):
        source, target = pixels.placement(rows, columns, spec["height"], spec["width"], spec["resize"])
        mine = of.reshape(-1) == number
        for axis, place in ((0, 1), (1, 0)):  # x goes with columns
            scale = target[2 + place] / source[2 + place]
            moved = (points[mine, :, axis] + 0.5 - source[place]) * scale + target[place] - 0.5
            result[mine, :, axis] = moved
    x, y, seen = result[..., 0], result[..., 1], result[..., 2]
    outside = (x < -0.5) | (y < -0.5) | (x > spec["width"] - 0.5) | (y > spec["height"] - 0.5)
    seen[outside] = 0
    result[points[..., 2] == 0] = 0
    return result.astype(np.float32)
