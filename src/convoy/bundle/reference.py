"""What a model's answers and pictures were like when it was tested: what later ones are compared with.

    reference.parquet    one row a held-out sample (validation and test), at most 10,000, in the order of ids:
                         prediction, confidence, the measures of `convoy.data.appearance`, width and height of
                         the file where they are known

Held-out samples alone: on what it learned from, a model is surer than on anything new.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data import appearance
from convoy.data.store import Store
from convoy.io import atomic_path

FILE = "reference.parquet"  # bundles made before it was introduced have none
MOST = 10_000
DECIMALS = 4  # of a confidence: torch and onnxruntime agree so far, and the comparison must not see more
_SIZES = ("width", "height")


def table(predictions: pd.DataFrame, stores: Mapping[str, Store]) -> pd.DataFrame:
    """The reference of a model.

    Args:
        predictions: rows of the predictions table.
        stores: split -> the prepared pictures of its rows; splits that are not here are left out.
    """
    chosen = predictions[predictions["split"].isin(list(stores))].sort_values("id").head(MOST)
    parts = []
    for split, rows in chosen.groupby("split", sort=True):
        store = stores[str(split)]
        place = {value.decode("ascii"): number for number, value in enumerate(store.id.tolist())}
        images = np.take(store.images, [place[value] for value in rows["id"]], axis=0)
        parts.append(rows.assign(**appearance.measures(images)))
    found = pd.concat(parts).sort_values("id", ignore_index=True)
    columns = ["prediction", "confidence", *(m for m in appearance.MEASURES if m in found)]
    columns += [name for name in _SIZES if name in found]
    found["confidence"] = confidence(found["confidence"].to_numpy())
    return found[columns]


def confidence(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Confidences as they are compared: rounded, float32."""
    return np.round(values.astype(np.float64), DECIMALS).astype(np.float32)


def write(bundle: Path, reference: pd.DataFrame) -> None:
    with atomic_path(bundle / FILE) as temporary:
        reference.to_parquet(temporary, index=False)


def read(bundle: Path) -> pd.DataFrame | None:
    """None where the bundle has none."""
    path = bundle / FILE
    return pd.read_parquet(path) if path.is_file() else None
