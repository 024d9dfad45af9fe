"""Which sample trains, validates or tests: by class and content, never by the order of rows.

The strategies are in `convoy.data.splits`; decision 0008 says why shares are binomial where sides are stable.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.manifest import SPLITS
from convoy.data.splits import (
    by_time,
    folds,
    grouped,
    iterative,
    predefined,
    stratified,
    stratified_grouped,
)
from convoy.data.splits._base import Division, How, has

_STRATEGIES: dict[str, Callable[[pd.DataFrame, How], Division]] = {
    "stratified": stratified.divide,
    "grouped": grouped.divide,
    "stratified_grouped": stratified_grouped.divide,
    "time": by_time.divide,
    "predefined": predefined.divide,
    "folds": folds.divide,
    "iterative": iterative.divide,
}


def assign(
    samples: pd.DataFrame,
    *,
    strategy: str,
    val: float,
    test: float,
    seed: int,
    classes: Sequence[str],
    folds: int = 5,
    fold: int = 0,
    labels: NDArray[np.bool_] | None = None,
) -> tuple[pd.Series, dict[str, Any]]:
    """The split of every sample.

    Args:
        samples: columns id, path, target, split; group, time and twins where they are known.
        strategy: auto (predefined where a sample has a split, grouped where one has a group, else
            stratified), or the name of one in `convoy.data.splits`.
        val: fraction; of all samples, or of the training part that it is taken from.
        test: as `val`.
        seed: keys the choice.
        classes: all class names; none: the task has no classes.
        folds: number of folds, for `folds`.
        fold: the fold that tests, for `folds`.
        labels: (N, K) which labels each sample has, where it has several; None: it has none.

    Returns:
        train, val or test by the table's index, and {"strategy", "carved": the splits that were chosen here,
        "moved": [{"id", "from", "to"}] of samples whose place was changed so that no class is missing on a
        side, "groups": number of units of several samples that were kept together}.

    Raises:
        ConfigError: the strategy needs what the data do not have.
        DataError: a split is without any sample of a class, or samples lack what they are divided by.
    """
    if strategy == "auto":
        strategy = _fitting(samples)
    how = How(val=val, test=test, seed=seed, classes=classes, folds=folds, fold=fold, labels=labels)
    division = _STRATEGIES[strategy](samples, how)
    chosen = pd.Series(np.array(SPLITS, object)[division.sides], index=samples.index, dtype=object)
    return chosen, {
        "strategy": strategy,
        "carved": list(division.carved),
        "moved": _moved(samples, division),
        "groups": division.units.joined,
    }


def _fitting(samples: pd.DataFrame) -> str:
    if has(samples, "split"):
        return "predefined"
    return "grouped" if has(samples, "group") else "stratified"


def _moved(samples: pd.DataFrame, division: Division) -> list[dict[str, str]]:
    """The samples of the units that moved, by id."""
    found = []
    for move in division.moves:
        for identity in samples["id"].to_numpy(object)[division.units.of == move.unit]:
            found.append({"id": identity, "from": SPLITS[move.before], "to": SPLITS[move.after]})
    return sorted(found, key=lambda entry: entry["id"])
