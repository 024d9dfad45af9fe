"""Every class on every side: what is missing is moved there, or refused by name."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from convoy.data.manifest import SPLITS
from convoy.data.splits._base import Codes, Floats, Move, Units, named
from convoy.errors import DataError


def mend(
    samples: pd.DataFrame,
    units: Units,
    sides: Codes,
    classes: Sequence[str],
    distance: Callable[[int], Floats],
    free: Sequence[int],
) -> tuple[Codes, list[Move]]:
    """Move to each side that lacks a class the unit of it whose position is nearest.

    A unit is moved only if each of its classes keeps another one where it was.

    Args:
        samples: id and target.
        sides: (U,) codes.
        classes: all class names; none: all samples are one stratum.
        distance: side -> (U,) how far each unit is from it.
        free: the sides that may be changed; units of others stay.

    Returns:
        Sides (U,), and the units that moved.

    Raises:
        DataError: a class has too few units to be on each side.
    """
    strata, names = _strata(samples, classes)
    table = _Table(units, strata, len(names), sides.copy())
    _refuse_small(table, names, free)
    for stratum, side in np.argwhere(table.counts == 0).tolist():
        if side not in free or table.counts[stratum, side] or not table.counts[stratum].any():
            continue
        away = distance(side)
        candidates = [
            unit
            for unit in table.members(stratum)
            if table.sides[unit] in free and table.sides[unit] != side and table.may_leave(unit)
        ]
        if candidates:
            nearest = min(candidates, key=lambda unit: (away[unit], units.keys[unit]))
            table.move(nearest, side)
    changed = np.flatnonzero(table.sides != sides).tolist()
    return table.sides, [Move(unit, int(sides[unit]), int(table.sides[unit])) for unit in changed]


def refuse_gaps(samples: pd.DataFrame, sides: Codes, classes: Sequence[str], fix: str) -> None:
    """Raise DataError if a class has no sample on a side.

    Args:
        sides: (N,) codes.
        fix: what the user can do.
    """
    strata, names = _strata(samples, classes)
    counts = np.bincount(strata * len(SPLITS) + sides, minlength=len(names) * len(SPLITS))
    gaps = np.argwhere(counts.reshape(-1, len(SPLITS)) == 0).tolist()
    if gaps:
        missing = [f"class {names[n]!r} in {SPLITS[side]}" if classes else SPLITS[side] for n, side in gaps]
        raise DataError(f"there is no good sample of {named(missing)}", fix=fix)


class _Table:
    """Samples by class and side while units move."""

    def __init__(self, units: Units, strata: Codes, classes: int, sides: Codes) -> None:
        self.sides = sides
        pairs, sizes = np.unique(np.stack([strata, units.of], axis=1), axis=0, return_counts=True)
        self._units, self._starts = pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(classes + 1))
        self._contents: dict[int, list[tuple[int, int]]] = {}
        for (stratum, unit), size in zip(pairs.tolist(), sizes.tolist(), strict=True):
            self._contents.setdefault(unit, []).append((stratum, size))
        self.counts = np.zeros((classes, len(SPLITS)), np.int64)
        np.add.at(self.counts, (pairs[:, 0], sides[pairs[:, 1]]), sizes)

    def members(self, stratum: int) -> list[int]:
        """The units that hold a sample of a class."""
        units: list[int] = self._units[self._starts[stratum] : self._starts[stratum + 1]].tolist()
        return units

    def may_leave(self, unit: int) -> bool:
        side = self.sides[unit]
        return all(self.counts[stratum, side] > size for stratum, size in self._contents[unit])

    def move(self, unit: int, side: int) -> None:
        for stratum, size in self._contents[unit]:
            self.counts[stratum, self.sides[unit]] -= size
            self.counts[stratum, side] += size
        self.sides[unit] = side


def _strata(samples: pd.DataFrame, classes: Sequence[str]) -> tuple[Codes, list[str]]:
    """(N,) number of each sample's class, and the names; without classes all are one stratum."""
    if not classes:
        return np.zeros(len(samples), np.int64), [""]
    number = {name: n for n, name in enumerate(classes)}
    codes = samples["target"].map(number)
    assert codes.notna().all(), "validate leaves no sample without a known class"
    return np.asarray(codes, np.int64), list(classes)


def _refuse_small(table: _Table, names: Sequence[str], free: Sequence[int]) -> None:
    """Raise DataError naming the classes that are in fewer free units than there are free sides."""
    few = []
    for stratum, name in enumerate(names):
        members = [unit for unit in table.members(stratum) if table.sides[unit] in free]
        if members and len(members) < len(free):
            many = int(table.counts[stratum, list(free)].sum())
            groups = "" if many == len(members) else f" in {len(members)} group{'s'[: len(members) > 1]}"
            few.append((f"class {name!r} has " if name else "there are ") + f"{many} samples{groups}")
    if few:
        sides = ", ".join(SPLITS[side] for side in free)
        raise DataError(
            f"too few samples or groups for {sides}: {named(few)}",
            fix="add samples of these classes, or remove the classes; samples of one group stay together",
        )
