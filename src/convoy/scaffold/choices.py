"""Parameters that fit a data set, so that a first run ends within minutes on two cores and says something.

Speeds are those of the network `cnn` in training on two cores without AMX, measured in fp32; a machine with
more is done sooner.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convoy.config.augment import PresetName
from convoy.scaffold.first_run import FirstRun
from convoy.scaffold.survey import Seen, Survey

SIDES = (28, 32, 48, 64, 96, 128)

_VAL, _TEST = 0.1, 0.2
_TRAINING_SECONDS = 300.0
_OTHER_SECONDS = 75.0  # all other stages, for few pictures
_SECONDS_A_PICTURE = 0.02  # of all other stages
# Side up to which, channels of the blocks, millions of pixels a second.
_NETWORKS: tuple[tuple[int, tuple[int, ...], float], ...] = (
    (32, (32, 64, 128), 1.6),
    (64, (32, 64, 128, 256), 1.2),
    (128, (16, 32, 64, 128, 256), 4.2),
)
# Pictures to learn from up to which, epochs that are wanted, pictures in a batch.
_LENGTHS: tuple[tuple[float, int, int], ...] = (
    (200, 60, 8),
    (800, 50, 16),
    (5_000, 40, 32),
    (20_000, 20, 64),
    (60_000, 10, 128),
    (float("inf"), 5, 128),
)
_RATE_AT_32 = 0.002
_ABOVE_CHANCE = 0.2  # of the way from always naming the largest class to perfection
_UNEVEN = 0.6  # share of one class from which on accuracy says little
_ENOUGH_TO_CALIBRATE = 200  # test samples below which the calibration error is mostly chance
_ROBUSTNESS = 250
_GLYPHS = 32  # side up to which grey pictures are taken for digits and letters
_SIDED = re.compile(r"left|right|clockwise|[左右]|\b\d+\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Choices(FirstRun):
    """Attributes:
    side: of the prepared pictures, in pixels.
    blocks: channels of the blocks of `cnn`.
    preset: of the augmentation; None: the recipe's own transforms. The preset `photos` is none of a first
        run: on 1,399 photographs it reached 0.72 in 40 epochs, the recipe's with mirroring 0.82.
    mirror: whether mirroring is added to them: a mirrored picture is still of its class, as names tell.
    """

    side: int
    channels: Literal[1, 3]
    blocks: tuple[int, ...]
    preset: PresetName | None
    mirror: bool


def choose(seen: Survey) -> Choices:
    """Parameters for what was seen."""
    train, test = sides(seen)
    wanted, batch = next((epochs, size) for most, epochs, size in _LENGTHS if train <= most)
    side = _side(seen.side, train, wanted)
    _, blocks, _ = _network(side)
    epochs = max(2, min(wanted, _affordable(train, side)))
    metric, chance = base(seen)
    seconds = epochs * _epoch_seconds(train, side) + _OTHER_SECONDS + _SECONDS_A_PICTURE * seen.pictures
    return Choices(
        side=side,
        channels=1 if seen.grey else 3,
        blocks=blocks,
        epochs=epochs,
        batch_size=batch,
        lr=round(_RATE_AT_32 * (batch / 32) ** 0.5, 4),
        preset="digits" if seen.grey and side <= _GLYPHS else None,
        mirror=not seen.grey and mirrors(seen.counts.index.tolist()),
        metric=metric,
        minimum=above(chance),
        max_ece=calibration_bound(test),
        robustness_samples=min(_ROBUSTNESS, test),
        minutes=max(1, round(seconds / 60)),
    )


def mirrors(classes: Sequence[str]) -> bool:
    """Whether classes look like things, not like numbers, letters or directions, which a mirror changes."""
    return not any(
        (len(name) == 1 and name.isascii()) or name.isnumeric() or _SIDED.search(name) for name in classes
    )


def sides(seen: Seen) -> tuple[int, int]:
    """About how many samples to learn from and to test on."""
    given = seen.counts[["train", "val", "test"]].sum()
    if not seen.given:
        return round(seen.samples * (1 - _VAL - _TEST)), round(seen.samples * _TEST)
    train = int(given["train"])
    if not given["val"]:
        train -= round(train * _VAL)
    test = int(given["test"])
    return (train, test) if test else (train - round(train * _TEST), round(train * _TEST))


def _side(median: int, train: int, wanted: int) -> int:
    """The largest that the pictures fill and of which half of the wanted epochs can be had."""
    filled = [side for side in SIDES if side <= 1.1 * median] or [SIDES[0]]
    payable = [side for side in filled if _affordable(train, side) >= wanted / 2]
    return payable[-1] if payable else filled[0]


def _affordable(train: int, side: int) -> int:
    """Epochs within the time for training."""
    return int(_TRAINING_SECONDS / _epoch_seconds(train, side))


def _epoch_seconds(train: int, side: int) -> float:
    return max(1, train) * side**2 / (1e6 * _network(side)[2])


def _network(side: int) -> tuple[int, tuple[int, ...], float]:
    return next(row for row in _NETWORKS if side <= row[0])


def base(seen: Seen) -> tuple[Literal["accuracy", "macro_f1"], float]:
    """The metric for the gate, and what always naming the largest class would reach in it."""
    share, classes = float(seen.counts["all"].max()) / max(1, seen.samples), max(1, len(seen.counts))
    if share >= _UNEVEN and classes > 1:
        return "macro_f1", 2 * share / (1 + share) / classes
    return "accuracy", share


def above(chance: float) -> float:
    """The gate's minimum."""
    return round(chance + _ABOVE_CHANCE * (1 - chance), 2)


def calibration_bound(test: int) -> float | None:
    """The gate's bound, for so many test samples; None where they are too few to tell."""
    return 0.15 if test >= _ENOUGH_TO_CALIBRATE else None
