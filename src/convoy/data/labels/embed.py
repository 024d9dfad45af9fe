"""Thumbnails to features for the label audit: oriented gradients, and a little colour.

Measured by the share of flipped labels (30 of the hand signs, 5 % of the others) that stand in a ranking
twice as long, means of five draws: hand signs 0.95 by gradients alone, 0.97 with colours at 0.3 of their
variance; mnist5k 1.00 and Fashion-MNIST 0.97 either way; cats and dogs 0.36 (a picture of 32 pixels does not
tell them apart, and one of 64 hardly better).
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from convoy.data import hog

Images = NDArray[np.uint8]
Features = NDArray[np.float32]

DIMENSIONS = 128
_COLOUR_SIDE = 8  # pixels a side of the picture whose colours are looked at
_COLOUR_SHARE = 0.3  # variance of the colours, that of the gradients is 1
_MOST_FITTED = 4_000  # samples from which the principal components are taken
_CHUNK = 4_096


def features(thumbs: Images, seed: int) -> Features:
    """Of thumbnails (N, H, W, 3) their principal components, (N, at most 128), whose variances sum to 1.

    No label is looked at.

    Args:
        seed: draws the samples that the components are taken from, where there are many.
    """
    count = len(thumbs)
    if count > _MOST_FITTED:
        chosen = np.sort(np.random.default_rng(seed).choice(count, _MOST_FITTED, replace=False))
    else:
        chosen = np.arange(count)
    gradients, colours = _raw(thumbs[chosen])
    strength, spread = (float(part.var(axis=0).sum()) for part in (gradients, colours))
    weight = np.float32(np.sqrt(_COLOUR_SHARE * strength / spread) if strength and spread else 1)
    joined = np.concatenate([gradients, colours * weight], axis=1)
    mean = joined.mean(axis=0)
    axes = _axes(joined - mean)
    parts = []
    for start in range(0, count, _CHUNK):
        gradients, colours = _raw(thumbs[start : start + _CHUNK])
        parts.append((np.concatenate([gradients, colours * weight], axis=1) - mean) @ axes)
    found = np.concatenate(parts)
    scale = np.sqrt(max(float(found.var(axis=0).sum()), 1e-12))
    result: Features = (found / np.float32(scale)).astype(np.float32)
    return result


def _raw(thumbs: Images) -> tuple[Features, Features]:
    size = (_COLOUR_SIDE, _COLOUR_SIDE)
    small = [cv2.resize(thumb, size, interpolation=cv2.INTER_AREA).ravel() for thumb in thumbs]
    grey = (thumbs == thumbs[..., :1]).all()  # then one channel tells all, in less time
    gradients = hog.features(thumbs[..., :1] if grey else thumbs)
    return gradients, np.stack(small).astype(np.float32) / np.float32(255)


def _axes(centred: Features) -> Features:
    """The principal axes (D, d), those with the most variance last; their signs are of no account here."""
    side = centred.shape[1]
    first = max(side - DIMENSIONS, 0)
    _, axes = linalg.eigh(centred.T @ centred, subset_by_index=[first, side - 1], overwrite_a=True)
    result: Features = axes.astype(np.float32)
    return result
