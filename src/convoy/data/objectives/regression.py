"""Numbers to predict: values of their own, or the places of points; standardised by the training split."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data import store
from convoy.data.manifest import SPLITS
from convoy.data.store import Store
from convoy.errors import ConfigError, DataError

TASKS = ("values", "keypoints")
_LEAST = 1e-6  # of a deviation: a constant target is not divided by nothing


def fit(
    out: Path,
    samples: pd.DataFrame,
    facts: Mapping[str, Any],
    data: DataConfig,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Values are added as the array `values`; points are there, in pixels of the prepared pictures.

    Returns:
        classes (a name a number: of points name.x and name.y), target (mean and std of each over the training
        split) and, of points, points, mirror (which point each one is in a mirror) and distance.

    Raises:
        ConfigError: the data have no points of the names that are asked for.
        DataError: a target is the same for all training samples.
    """
    names = list(facts["points"])
    if facts["task"] == "keypoints":
        found = Store.open(out / "train").keypoints
        assert found is not None
        learned = places(found)
        numbers = [f"{name}.{axis}" for name in names for axis in "xy"]
        own = _of_points(names, data)
    else:
        for side in SPLITS:
            rows = samples.loc[samples["split"] == side, "values"]
            store.extend(out / side, "values", np.array(rows.tolist(), np.float32).reshape(-1, len(names)))
        values = Store.open(out / "train").values
        assert values is not None
        learned, numbers, own = values.astype(np.float64), names, {}
    mean, std = np.nanmean(learned, axis=0), np.nanstd(learned, axis=0)
    if (flat := np.flatnonzero(~(std > _LEAST))).size:
        raise DataError(
            f"{numbers[flat[0]]} is the same for all training samples ({mean[flat[0]]:g})",
            where=data.path,
            fix="there is nothing to learn of it: leave it out",
        )
    target = {"mean": mean.tolist(), "std": std.tolist()}
    return {"classes": numbers, "target": target, **own}


def places(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Points (N, K, 3) as numbers (N, 2 K): x and y of each; NaN where a point is not known."""
    xy = points[:, :, :2].astype(np.float64)
    xy[points[:, :, 2] == 0] = np.nan
    return xy.reshape(len(points), -1)


def _of_points(names: list[str], data: DataConfig) -> dict[str, Any]:
    place = {name: number for number, name in enumerate(names)}
    section = data.points
    swap = [[str(name) for name in pair] for pair in section.swap] if section is not None else []
    ends = [str(name) for name in section.distance or ()] if section is not None else []
    unknown = sorted({*ends, *(name for pair in swap for name in pair)} - place.keys())
    if unknown:
        raise ConfigError(
            f"the data have no point {unknown[0]!r}",
            where="params.yaml: data.points",
            fix=f"its points are: {', '.join(names)}",
        )
    mirror = list(range(len(names)))
    for left, right in swap:
        mirror[place[left]], mirror[place[right]] = place[right], place[left]
    return {"points": names, "mirror": mirror, "distance": [place[name] for name in ends] or None}
