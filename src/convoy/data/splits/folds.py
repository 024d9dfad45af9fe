"""One of k folds tests: fold = floor(position * k). val is taken from the others, with positions of its own.

Groups (where the data have them) and twins stay together. Stable under growth, like `stratified`.
"""

import numpy as np
import pandas as pd

from convoy.data.splits._base import TEST, TRAIN, VAL, Division, Floats, How, Units
from convoy.data.splits._classes import mend, refuse_gaps
from convoy.data.splits.stratified import FIX


def divide(samples: pd.DataFrame, how: How) -> Division:
    """Fold `how.fold` tests; `how.val` of all samples, of those in the other folds, are val.

    Raises:
        DataError: a class has too few samples or groups for all sides.
    """
    units = Units(samples, groups=True)
    positions, others = units.positions(how.seed), units.positions(how.seed, "val:")
    tested = np.floor(positions * how.folds) == how.fold
    share = min(how.val * how.folds / (how.folds - 1), 1.0)  # of what the fold leaves
    sides = np.where(tested, TEST, np.where(others < share, VAL, TRAIN)).astype(np.int64)

    def distance(side: int) -> Floats:
        if side == TEST:
            low, high = how.fold / how.folds, (how.fold + 1) / how.folds
            away = np.maximum(low - positions, positions - high)
        else:
            away = others - share if side == VAL else share - others
            away += 2.0 * tested  # those of the fold itself come last
        return np.asarray(np.maximum(0.0, away), np.float64)

    sides, moves = mend(samples, units, sides, how.classes, distance, (TRAIN, VAL, TEST))
    refuse_gaps(samples, sides[units.of], how.classes, FIX)
    return Division(sides[units.of], units, moves=moves)
