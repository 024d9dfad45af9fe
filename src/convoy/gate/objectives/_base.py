"""What both models answered on the same test samples, and what the gate's rules ask of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
_NAMED = 4


class Common(NamedTuple):
    """Whether two things have enough in common: in words, with the numbers, and what to do where not."""

    enough: bool
    said: str
    numbers: Mapping[str, Any]
    fix: str = ""


class Shares(NamedTuple):
    """How good each answer is on the N rows that can be compared, in the units of `gate.slice_margin`.

    `sign` is 1 where more is better, -1 where it is an error.
    """

    challenger: Floats
    champion: Floats
    sign: int


@dataclass(frozen=True)
class Scores:
    """What the models answered on the test samples that the challenger did not learn from.

    Attributes:
        samples: the N rows, with what the modality measures (brightness: mean pixel, 0 to 255, as the
            challenger sees the picture).
        classes: names of the challenger's outputs.
        rows: the challenger's numbers, (N, K): of classes, their probabilities.
        rival_classes: names of the champion's outputs; None where there is none.
        rival: the champion's answers, (N, …) as the objective keeps them; None where there is none.
        fresh: (N,) rows that the champion did not learn from either.
        left_out: how many test samples each one learned from.
        info: bundle.json of the challenger and of the champion, as far as they are needed.
        foreign: the champion's objective where it is another one; it was not asked then.
    """

    samples: pd.DataFrame
    classes: list[str]
    rows: Floats
    rival_classes: list[str] | None
    rival: NDArray[Any] | None
    fresh: Mask
    left_out: dict[str, int]
    info: Sequence[Mapping[str, Any]] = field(default=())
    foreign: str = ""

    @staticmethod
    def answered(rows: Floats, classes: Sequence[str]) -> NDArray[Any]:
        """The champion's numbers (N, K), as `rival` keeps them."""
        del classes
        return rows

    @property
    def shared(self) -> Mask:
        """(N,) rows on which the two can be compared."""
        return self.fresh

    def tested(self) -> Common:
        """Whether the test samples are of the model's task."""
        raise NotImplementedError

    def comparable(self) -> Common:
        """Whether champion and challenger answer the same question; there is a champion."""
        raise NotImplementedError

    def compare(self, metric: str) -> dict[str, Any]:
        """Both on the shared rows, as `convoy.gate.paired.compare` does it.

        `difference` is the challenger's advantage: of an error, how much smaller its own is.
        """
        raise NotImplementedError

    def measured(self, metric: str) -> float | None:
        """The challenger's metric on all rows; None where no row tells."""
        raise NotImplementedError

    def shares(self) -> Shares:
        """How good each answer is, for slices."""
        raise NotImplementedError

    def ece(self) -> float | None:
        """The challenger's calibration error; None where nothing is a probability."""
        return None


def some(names: set[str]) -> str:
    """The first names, and how many there are besides."""
    listed = sorted(names)
    return ", ".join(listed[:_NAMED]) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def same_outputs(scores: Scores, noun: str) -> Common:
    """Comparable only where both give the same outputs."""
    own, other = set(scores.classes), set(scores.rival_classes or ())
    known = {"common": len(own & other), "only_challenger": sorted(own - other)[:20],
             "only_champion": sorted(other - own)[:20]}  # fmt: skip
    if own == other:
        return Common(True, f"both give the same {len(own)} {noun}", known)
    only = "; ".join(
        f"only {who} gives {some(names)}"
        for who, names in (("the challenger", own - other), ("the champion", other - own))
        if names
    )
    return Common(
        False, f"they give other {noun}: {only}", known, "give it a name of its own (register.model)"
    )
