"""What prepared pictures look like, in a few numbers: what `convoy monitor` compares.

All sums are of whole numbers, so the same pictures give the same bits on every machine.
"""

import numpy as np
from numpy.typing import NDArray

MEASURES = ("brightness", "contrast", "sharpness", "saturation")
_PIXELS = 16_000_000  # that are worked on at once

Ints = NDArray[np.int64]


def measures(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Numbers (N,) of pictures (N, H, W, C) as the network takes them.

    Returns:
        brightness: mean of the pixels, 0 to 255.
        contrast: standard deviation of the grey values (the mean of the channels).
        sharpness: variance of the Laplacian of the grey values (Pech-Pacheco et al. 2000); 0 below 3 pixels.
        saturation: mean distance of the largest and the smallest channel; of colour pictures alone.
    """
    step = max(1, _PIXELS // max(1, int(np.prod(images.shape[1:]))))
    parts = [_measures(images[first : first + step]) for first in range(0, max(1, len(images)), step)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _measures(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    channels = images.shape[3]
    grey = images.sum(axis=3, dtype=np.int32)  # times the number of channels
    mean, variance = _moments(grey)
    found = {"brightness": mean / channels, "contrast": np.sqrt(variance) / channels}
    if min(grey.shape[1:]) >= 3:
        laplacian = (
            grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
            - 4 * grey[:, 1:-1, 1:-1]
        )  # fmt: skip
        found["sharpness"] = _moments(laplacian)[1] / channels**2
    else:
        found["sharpness"] = np.zeros(len(images))
    if channels == 3:
        found["saturation"] = _moments(images.max(axis=3).astype(np.int32) - images.min(axis=3))[0]
    return {name: values.astype(np.float32) for name, values in found.items()}


def _moments(values: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance (N,) over all but the first axis."""
    count = int(np.prod(values.shape[1:]))
    flat = values.reshape(len(values), count)
    total: Ints = flat.sum(axis=1, dtype=np.int64)
    squares: Ints = np.einsum("ij,ij->i", flat, flat, dtype=np.int64, casting="safe")
    mean = total / count
    return mean, np.maximum(squares / count - mean**2, 0.0)
