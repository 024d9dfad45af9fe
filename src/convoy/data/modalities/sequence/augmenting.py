"""Augmentation of sequences, after they are scaled.

jitter        sigma: deviation of the noise that is added to every value
scaling       sigma: every channel is multiplied by a factor from N(1, sigma)
time_warp     sigma: how much faster or slower time goes, in parts of equal length; knots: between the parts
window_slice  share: length of the piece that stays, of the sequence's, at a random place
masking       share: length of the piece that becomes 0, of the sequence's, at a random place
shift         share: a sequence moves by up to this much of its length; its end values fill the gap

Each has `p`, the share of the sequences that it changes. After Um et al. 2017 (arXiv 1706.00527), Le Guennec
et al. 2016 and Iwana and Uchida 2021 (arXiv 2007.15951). All work on whole batches, and are drawn by the
batch's key.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.config.augment import AugmentConfig
from convoy.config.data import SequencePrepareConfig
from convoy.data import ragged
from convoy.data.loader import Batch, batch_key
from convoy.data.mixing import Mixing
from convoy.data.modalities import _augmenting
from convoy.data.modalities._augmenting import Bound, Chosen, Given, Random
from convoy.data.modalities.sequence.batching import VALUES
from convoy.data.ragged import Offsets, Values
from convoy.data.store import Store

PREVIEW = "preview.csv"
_ROWS, _VARIANTS = 6, 3
_SLOWEST = 0.1  # of a part of a warped sequence, as a share of the usual speed
Form = Callable[[Values, Offsets, Chosen, Given, Random], tuple[Values, Offsets]]


class Policy:
    """A sequence of transforms of sequences.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is out of its bounds.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        self._steps = _augmenting.steps("sequences", _FORMS, transforms)

    def __call__(self, batch: Batch, seed: int) -> Batch:
        """The batch with other values; all else as it was."""
        name = ragged.offsets_of(VALUES)
        values, bounds = batch[VALUES], batch[name]
        for step, chosen, random in _augmenting.drawn(self._steps, len(bounds) - 1, seed):
            values, bounds = step.form(values, bounds, chosen, step.given, random)
        return {**batch, VALUES: values.astype(np.float32, copy=False), name: bounds}


policy = Policy
transforms = _augmenting.transforms
copies = _augmenting.copies


def trial(config: AugmentConfig, prepared: SequencePrepareConfig) -> None:
    """Raises:
    ConfigError: the policy is refused.
    """
    Policy(transforms(config))


def preview(
    training: Store,
    policy: Policy,
    mixing: Mixing | None,
    seed: int,
    out: Path,
) -> None:
    """Write preview.csv: the first channel of some sequences and of variants of them, a column each."""
    rows = np.linspace(0, len(training) - 1, min(_ROWS, len(training))).astype(np.int64)
    originals = training[rows]
    shown = [originals, *(policy(originals, batch_key(seed, 0, n)) for n in range(_VARIANTS))]
    columns: dict[str, NDArray[Any]] = {}
    for row in range(len(rows)):
        for number, batch in enumerate(shown):
            bounds = batch[ragged.offsets_of(VALUES)]
            name = f"{row}" if number == 0 else f"{row}, variant {number}"
            columns[name] = batch[VALUES][bounds[row] : bounds[row + 1], 0]
    lines = [",".join(f'"{name}"' for name in columns)]
    for step in range(max(map(len, columns.values()))):
        cells = (f"{column[step]:.4f}" if step < len(column) else "" for column in columns.values())
        lines.append(",".join(cells))
    io.write_text(out / PREVIEW, "\n".join(lines) + "\n")


def _jitter(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    noise: Values = random.standard_normal(values.shape, np.float32)
    noise *= np.float32(given["sigma"])
    if not chosen.all():
        noise *= np.repeat(chosen, np.diff(bounds))[:, None]
    noise += values
    return noise, bounds


def _scaling(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    factors = 1 + given["sigma"] * random.standard_normal((len(chosen), values.shape[1]))
    factors[~chosen] = 1
    return values * np.repeat(factors, np.diff(bounds), axis=0).astype(np.float32), bounds


def _time_warp(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    parts = int(given["knots"]) + 1
    speeds = np.maximum(1 + given["sigma"] * random.standard_normal((len(lengths), parts)), _SLOWEST)
    speeds /= speeds.sum(axis=1, keepdims=True)
    begun = np.concatenate([np.zeros((len(lengths), 1)), np.cumsum(speeds, axis=1)], axis=1)
    row = np.repeat(np.arange(len(lengths)), lengths)
    last = np.maximum(lengths - 1, 1)[row]
    place = (np.arange(len(values)) - bounds[:-1][row]) / last * parts
    part = np.minimum(place.astype(np.int64), parts - 1)
    warped = (begun[row, part] + (place - part) * speeds[row, part]) * last
    return _read_at(values, bounds, row, np.where(chosen[row], warped, place / parts * last)), bounds


def _window_slice(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    least = np.minimum(lengths, 2)
    kept = np.where(chosen, np.maximum((lengths * given["share"]).round().astype(np.int64), least), lengths)
    inside = _piece(bounds, kept, random)
    return ragged.keep(values, bounds, inside)


def _masking(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    hidden = np.where(chosen, (np.diff(bounds) * given["share"]).round().astype(np.int64), 0)
    inside = _piece(bounds, hidden, random)
    return np.where(inside[:, None], np.float32(0), values), bounds


def _shift(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    moved = (random.uniform(-1, 1, len(lengths)) * given["share"] * lengths).round() * chosen
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(values)) - bounds[:-1][row] - moved[row]
    return _read_at(values, bounds, row, place.clip(0, lengths[row] - 1)), bounds


def _piece(bounds: Offsets, sizes: NDArray[np.int64], random: Random) -> Chosen:
    """Where a piece of each sample lies, at a random place: (sum of the lengths,)."""
    lengths = np.diff(bounds)
    start = (random.random(len(lengths)) * (lengths - sizes + 1)).astype(np.int64)
    place = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    inside: Chosen = (place >= np.repeat(start, lengths)) & (place < np.repeat(start + sizes, lengths))
    return inside


def _read_at(values: Values, bounds: Offsets, row: NDArray[np.int64], place: NDArray[np.float64]) -> Values:
    """The samples at other places of their own time, linear between values."""
    last = (np.diff(bounds) - 1)[row]
    left = np.clip(np.floor(place).astype(np.int64), 0, last)
    right = np.minimum(left + 1, last)
    share = (place - left)[:, None].astype(np.float32)
    start = bounds[:-1][row]
    found: Values = values[start + left] * (1 - share) + values[start + right] * share
    return found


_FORMS: dict[str, tuple[Form, dict[str, Bound]]] = {
    "jitter": (_jitter, {"sigma": Bound(0, 10, 0.03)}),
    "scaling": (_scaling, {"sigma": Bound(0, 1, 0.1)}),
    "time_warp": (_time_warp, {"sigma": Bound(0, 1, 0.2), "knots": Bound(1, 32, 4, whole=True)}),
    "window_slice": (_window_slice, {"share": Bound(0.1, 1, 0.9)}),
    "masking": (_masking, {"share": Bound(0, 0.9, 0.1)}),
    "shift": (_shift, {"share": Bound(0, 1, 0.1)}),
}
