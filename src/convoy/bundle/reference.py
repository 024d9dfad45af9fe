"""What a model's answers and pictures were like when it was tested: what later ones are compared with.

    reference.parquet    one row a held-out sample (validation and test), at most 10,000, in the order of ids:
                         prediction, confidence, what the modality measures (of a picture: brightness, size …)

Held-out samples alone: on what it learned from, a model is surer than on anything new.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.store import Store
from convoy.io import atomic_path

FILE = "reference.parquet"  # bundles made before it was introduced have none
MOST = 10_000
DECIMALS = 4  # of a confidence: torch and onnxruntime agree so far, and the comparison must not see more


def table(predictions: pd.DataFrame, stores: Mapping[str, Store], looking: ModuleType) -> pd.DataFrame:
    """The reference of a model.

    Args:
        predictions: rows of the predictions table.
        stores: split -> the prepared samples of its rows; splits that are not here are left out.
        looking: the modality's part.
    """
    chosen = predictions[predictions["split"].isin(list(stores))].sort_values("id").head(MOST)
    parts = []
    for split, rows in chosen.groupby("split", sort=True):
        store = stores[str(split)]
        place = {value.decode("ascii"): number for number, value in enumerate(store.id.tolist())}
        measures = looking.of_store(store, np.array([place[value] for value in rows["id"]], np.int64))
        parts.append(rows.assign(**measures))
    found = pd.concat(parts).sort_values("id", ignore_index=True)
    columns = ["prediction", "confidence", *measures, *(name for name in looking.FACTS if name in found)]
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
