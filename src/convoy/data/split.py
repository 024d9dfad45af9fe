"""Which sample trains, validates or tests: by class and content, never by the order of rows."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from convoy.data.manifest import SPLITS
from convoy.errors import ConfigError, DataError


def assign(
    samples: pd.DataFrame, *, strategy: str, val: float, test: float, seed: int, classes: Sequence[str]
) -> tuple[pd.Series, dict[str, object]]:
    """The split of every sample.

    A split that a predefined division lacks is taken from its training part.

    Args:
        samples: columns id, path, target, split.
        strategy: auto (predefined where the column has any value, else stratified), stratified or predefined.
        val: fraction; of all samples, or of the training part that it is taken from.
        test: as `val`.
        seed: keys the choice.
        classes: all class names.

    Returns:
        train, val or test by the table's index, and {"strategy", "carved": the splits that were chosen here}.

    Raises:
        ConfigError: `predefined` was asked for and the data have no splits.
        DataError: a split is without any sample of a class, or some samples have a split and others none.
    """
    given = samples["split"]
    if strategy == "predefined" and not given.notna().any():
        raise ConfigError(
            "split.strategy is 'predefined', but the data name no splits",
            where="params.yaml: split.strategy",
            fix="use 'auto' or 'stratified', or put the data into folders train, val and test",
        )
    if strategy == "stratified" or not given.notna().any():
        carved = ["val", "test"]
        result = pd.Series("train", index=samples.index, dtype=object)
        strategy = "stratified"
    else:
        if given.isna().any():
            raise DataError(
                f"{int(given.isna().sum())} samples belong to no split, the others do",
                where=str(samples.loc[given.isna(), "path"].iloc[0]),
                fix="give each of them a split, or use split.strategy 'stratified'",
            )
        carved = [name for name in ("val", "test") if not (given == name).any()]
        result = given.astype(object)
        strategy = "predefined"
    fractions = {"val": val, "test": test}
    for name in classes:
        pool = samples[(samples["target"] == name) & (result == "train")]
        _carve(result, pool, {side: fractions[side] for side in carved}, seed, name)
    _refuse_gaps(samples, result, classes)
    return result, {"strategy": strategy, "carved": carved}


def _carve(
    result: "pd.Series", pool: pd.DataFrame, fractions: dict[str, float], seed: int, name: str
) -> None:
    """Move samples of one class out of the training part, at least one for each of `fractions`."""
    if not fractions or pool.empty:
        return
    if len(pool) <= len(fractions):
        raise DataError(
            f"class {name!r} has {len(pool)} training samples, too few for train and {', '.join(fractions)}",
            fix=f"add samples of class {name!r}, or remove the class",
        )
    wanted = {side: max(1, int(len(pool) * fraction + 0.5)) for side, fraction in fractions.items()}
    while sum(wanted.values()) >= len(pool):  # only tiny classes with large fractions
        largest = max(wanted, key=lambda side: wanted[side])
        wanted[largest] -= 1
    keys = [
        (hashlib.sha256(f"{seed}:{identity}".encode()).digest(), path)
        for identity, path in zip(pool["id"], pool["path"], strict=True)
    ]
    order = [row for _, row in sorted(zip(keys, pool.index, strict=True))]
    start = 0
    for side, count in wanted.items():
        result.loc[order[start : start + count]] = side
        start += count


def _refuse_gaps(samples: pd.DataFrame, result: "pd.Series", classes: Sequence[str]) -> None:
    present = set(zip(samples["target"], result, strict=True))
    gaps = [f"class {name!r} in {side}" for name in classes for side in SPLITS if (name, side) not in present]
    if gaps:
        raise DataError(
            f"there is no good sample of {', of '.join(gaps[:10])}",
            fix="each class needs samples in each split: add some, or use split.strategy 'stratified'",
        )
