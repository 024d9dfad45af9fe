"""Any number of labels a sample: 1 for those that hold, 0 for the others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import labelling, store
from convoy.data.manifest import SPLITS
from convoy.errors import DataError

TASKS = ("labels",)


def fit(
    out: Path,
    samples: pd.DataFrame,
    facts: Mapping[str, Any],
    data: DataConfig,
    classes: Sequence[str],
) -> dict[str, Any]:
    """The labels are added as the array `values`, (N, K).

    Returns:
        separator, which stands between the labels of a target.

    Raises:
        DataError: no training sample has a label, or all have it; or val or test has none with it.
    """
    for side in SPLITS:
        rows = samples.loc[samples["split"] == side, "target"]
        held = labelling.shown(rows, classes, facts["separator"])
        _refuse_constant(held.sum(axis=0), len(held), classes, side, data.path)
        store.extend(out / side, "values", held.astype(np.float32))
    return {"separator": facts["separator"]}


def _refuse_constant(counts: Any, total: int, classes: Sequence[str], side: str, where: str) -> None:
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    always = [name for name, count in zip(classes, counts, strict=True) if count == total]
    if missing:
        raise DataError(
            f"no sample of {side} has the label {missing[0]!r}"
            + (f" (nor {len(missing) - 1} others)" if len(missing) > 1 else ""),
            where=where,
            fix="split.strategy: iterative spreads rare labels; or leave the label out of data.classes",
        )
    if always and side == "train":
        raise DataError(
            f"every training sample has the label {always[0]!r}: there is nothing to learn",
            where=where,
            fix="leave it out of data.classes",
        )
