"""What an autoencoder makes of pictures: codes, and how far each reconstruction is from its picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.evaluation import predictions
from convoy.evaluation.metrics import DIGITS
from convoy.training.network import Network

Images = NDArray[np.uint8]
Pixels = NDArray[np.float32]
Floats = NDArray[np.float64]

MEASURES = ("mse", "mae", "psnr", "ssim")
_VALUES = 40_000_000  # of outputs in memory at once, 160 MB
_LEAST = 1e-10  # of a squared error: 100 dB
_WINDOW, _SIGMA = 11, 1.5  # of SSIM, as its authors chose them


@dataclass(frozen=True)
class Restored:
    """Of N pictures.

    Attributes:
        codes: (N, K).
        errors: a row a picture, a column each of MEASURES; ssim only where a side has its 11 pixels.
    """

    codes: Pixels
    errors: pd.DataFrame

    @property
    def error(self) -> Floats:
        """The mean squared one, (N,)."""
        return self.errors["mse"].to_numpy(np.float64)


def restored(
    network: Network, images: Images, wanted: Images | None = None, *, bf16: bool = False
) -> Restored:
    """What the network makes of pictures (N, H, W, C), compared with `wanted` (default: themselves)."""
    codes, errors = [], []
    wanted = images if wanted is None else wanted
    for rows in blocks(len(images), images[:1].size):
        code, pixels = outputs(network, images[rows], bf16=bf16)
        codes.append(code)
        errors.append(compare(wanted[rows], pixels))
    return Restored(np.concatenate(codes), pd.concat(errors, ignore_index=True))


def encoded(network: Network, images: Images) -> Pixels:
    """The codes of pictures (N, H, W, C) alone, (N, K)."""
    parts = [outputs(network, images[rows])[0] for rows in blocks(len(images), images[:1].size)]
    return np.concatenate(parts)


def outputs(network: Network, images: Images, *, bf16: bool = False) -> tuple[Pixels, Pixels]:
    """Codes (N, K) and reconstructions (N, H, W, C), from 0 to 1."""
    raw = predictions.logits(network, images, bf16=bf16)
    height, width, channels = images.shape[1:]
    size = height * width * channels
    pixels = raw[:, -size:].reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return raw[:, 1:-size], pixels


def compared(images: Images, restore: Callable[[Images], Pixels]) -> pd.DataFrame:
    """Errors of what something else makes of pictures (N, H, W, C); see `Restored.errors`."""
    rows = blocks(len(images), images[:1].size)
    return pd.concat([compare(images[some], restore(images[some])) for some in rows], ignore_index=True)


def compare(images: Images, pixels: Pixels) -> pd.DataFrame:
    """Errors of reconstructions (N, H, W, C), from 0 to 1; see `Restored.errors`.

    PSNR is in dB, of a range of 1; SSIM as Wang et al. (2004) define it, the mean over the picture.
    """
    wanted = np.asarray(images, np.float32) / np.float32(255)
    apart = (pixels.astype(np.float64) - wanted).reshape(len(wanted), -1)
    squared = (apart**2).mean(axis=1)
    columns: dict[str, Floats] = {
        "mse": squared,
        "mae": np.abs(apart).mean(axis=1),
        "psnr": -10 * np.log10(np.maximum(squared, _LEAST)),
    }
    if min(images.shape[1:3]) >= _WINDOW:
        columns["ssim"] = _ssim(wanted, pixels)
    return pd.DataFrame(columns)


def _ssim(wanted: Pixels, pixels: Pixels) -> Floats:
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    first, second = (
        torch.from_numpy(np.ascontiguousarray(each.transpose(0, 3, 1, 2))) for each in (pixels, wanted)
    )
    with torch.inference_mode():
        found = structural_similarity_index_measure(
            first, second, sigma=_SIGMA, kernel_size=_WINDOW, reduction="none", data_range=1.0
        )
    assert isinstance(found, torch.Tensor)
    each: Floats = found.reshape(-1).numpy().astype(np.float64)
    return each


class Means:
    """Means of weighted samples: weights (N, B), not negative, give B values each."""

    area_work = 0

    def __init__(self, errors: pd.DataFrame) -> None:
        self._names = list(errors.columns)
        self._rows = errors.to_numpy(np.float64).T

    def sums(self, weights: Floats) -> dict[str, Floats]:
        found = self._rows @ weights / weights.sum(axis=0)
        return dict(zip(self._names, found, strict=True))

    def areas(self, weights: Floats) -> dict[str, Floats]:  # noqa: ARG002  # there are none
        return {}


def summary(errors: pd.DataFrame) -> dict[str, Any]:
    """The mean of each measure, and the number of samples."""
    means = errors.mean()
    return {
        **{str(name): round(float(value), DIGITS) for name, value in means.items()},
        "samples": len(errors),
    }


def blocks(count: int, size: int) -> list[slice]:
    """Rows of `count` samples of `size` values each, as many at once as fit into memory."""
    step = max(1, _VALUES // max(size, 1))
    return [slice(start, start + step) for start in range(0, count, step)]
