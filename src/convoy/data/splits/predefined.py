"""The sides that the data name; a side that none of them names is taken from the training part.

What is taken is chosen by thresholds on the positions of groups (and twins), so it is stable under growth.
Its fraction is one of the training part.
"""

import numpy as np
import pandas as pd

from convoy.data.manifest import SPLITS
from convoy.data.splits._base import (
    TEST,
    TRAIN,
    VAL,
    Codes,
    Division,
    How,
    Move,
    Units,
    distances,
    has,
    named,
    thresholds,
)
from convoy.data.splits._classes import mend, refuse_gaps
from convoy.errors import ConfigError, DataError

_FIX = "each class needs samples in each split: add some, or use split.strategy 'stratified'"


def divide(samples: pd.DataFrame, how: How) -> Division:
    """As given, val and test carved from train where they are missing.

    Raises:
        ConfigError: the data have no splits.
        DataError: some samples have a split and others none, or a class is missing on a side.
    """
    if not has(samples, "split"):
        raise ConfigError(
            "split.strategy is 'predefined', but the data name no splits",
            where="params.yaml: split.strategy",
            fix="use 'auto' or 'stratified', or put the data into folders train, val and test",
        )
    given = samples["split"]
    if given.isna().any():
        raise DataError(
            f"{int(given.isna().sum())} samples belong to no split, the others do: "
            + named(samples.loc[given.isna(), "path"].astype(str)),
            fix="give each of them a split, or use split.strategy 'stratified'",
        )
    sides: Codes = np.asarray(given.map({name: code for code, name in enumerate(SPLITS)}), np.int64)
    carved = [code for code in (VAL, TEST) if not (sides == code).any()]
    units = Units(samples, groups=True)
    moves: list[Move] = []
    if carved and (sides == TRAIN).any():
        sides, moves = _carve(samples, how, sides, units, carved)
    refuse_gaps(samples, sides, how.classes, _FIX)
    return Division(sides, units, carved=[SPLITS[code] for code in carved], moves=moves)


def _carve(
    samples: pd.DataFrame, how: How, sides: Codes, units: Units, carved: list[int]
) -> tuple[Codes, list[Move]]:
    """Sides (N,) with the missing ones taken from the training rows, and the moves."""
    rows = np.flatnonzero(sides == TRAIN)
    training = samples.iloc[rows]
    own = Units(training, groups=True)
    positions = own.positions(how.seed)
    val, test = (how.val if VAL in carved else 0.0), (how.test if TEST in carved else 0.0)
    chosen, moves = mend(
        training,
        own,
        thresholds(positions, val, test),
        how.classes,
        distances(positions, val, test),
        (TRAIN, *carved),
    )
    result = sides.copy()
    result[rows] = chosen[own.of]
    return result, [Move(int(units.of[rows[own.of == m.unit][0]]), m.before, m.after) for m in moves]
