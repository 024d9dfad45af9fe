"""Every sample by its own position; twins (nearly the same picture) stay together.

Stable under growth: a sample keeps its side whatever else comes or goes, except those that had to move to
give a side a class. The price is that shares are binomial, not exact.
"""

import pandas as pd

from convoy.data.splits._base import TEST, TRAIN, VAL, Division, How, Units, distances, thresholds
from convoy.data.splits._classes import mend, refuse_gaps

FIX = "each class needs samples in each split: add some, or use another split.strategy or split.seed"


def divide(samples: pd.DataFrame, how: How) -> Division:
    """By thresholds.

    Raises:
        DataError: a class has too few samples for all sides.
    """
    return by_position(samples, how, Units(samples, groups=False))


def by_position(samples: pd.DataFrame, how: How, units: Units) -> Division:
    """Units by thresholds on their positions, a class that is missing on a side moved there."""
    positions = units.positions(how.seed)
    sides, moves = mend(
        samples,
        units,
        thresholds(positions, how.val, how.test),
        how.classes,
        distances(positions, how.val, how.test),
        (TRAIN, VAL, TEST),
    )
    refuse_gaps(samples, sides[units.of], how.classes, FIX)
    return Division(sides[units.of], units, moves=moves)
