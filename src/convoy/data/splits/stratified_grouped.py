"""Groups as wholes, each to the side where its classes are most wanted: shares are nearly exact.

Not stable under growth: what comes changes what is wanted, so samples may change sides.
"""

import numpy as np
import pandas as pd

from convoy.data.manifest import SPLITS
from convoy.data.splits._base import TEST, TRAIN, VAL, Codes, Division, Floats, How, Units, has, wanting
from convoy.data.splits._classes import mend, refuse_gaps
from convoy.data.splits.stratified import FIX


def divide(samples: pd.DataFrame, how: How) -> Division:
    """Greedily, large groups first, groups of one size in the order of their positions.

    Raises:
        ConfigError: the data name no groups.
        DataError: a class lies in too few groups for all sides.
    """
    if not has(samples, "group"):
        raise wanting("stratified_grouped", "groups", "data.group_col")
    units = Units(samples, groups=True)
    positions = units.positions(how.seed)
    chosen = _greedy(samples, how, units, positions)
    sides, moves = mend(samples, units, chosen, how.classes, lambda _: positions, (TRAIN, VAL, TEST))
    refuse_gaps(samples, sides[units.of], how.classes, FIX)
    return Division(sides[units.of], units, moves=moves)


def _greedy(samples: pd.DataFrame, how: How, units: Units, positions: Floats) -> Codes:
    """(U,) the side of each unit: the one that brings the counts nearest to the shares, class by class."""
    strata = pd.factorize(samples["target"], sort=True)[0].astype(np.int64) + 1  # no target: 0
    totals = np.bincount(strata)
    contents: list[dict[int, int]] = [{} for _ in range(len(units))]
    for unit, stratum in zip(units.of.tolist(), strata.tolist(), strict=True):
        contents[unit][stratum] = contents[unit].get(stratum, 0) + 1
    shares = np.zeros(len(SPLITS))
    shares[[TRAIN, VAL, TEST]] = 1 - how.val - how.test, how.val, how.test
    wanted = totals[:, None] * shares  # less what a side has already
    sizes = np.bincount(units.of, minlength=len(units))
    sides = np.zeros(len(units), np.int64)
    for unit in np.lexsort((positions, -sizes)).tolist():
        classes = np.fromiter(contents[unit], np.int64)
        counts = np.fromiter(contents[unit].values(), np.float64)[:, None]
        before, after = wanted[classes], wanted[classes] - counts
        # Squares of the shares that are missing or too much; a small side's count for more.
        cost = ((after**2 - before**2) / (totals[classes, None] ** 2 * shares)).sum(axis=0)
        sides[unit] = int(cost.argmin())
        wanted[classes, sides[unit]] -= counts[:, 0]
    return sides
