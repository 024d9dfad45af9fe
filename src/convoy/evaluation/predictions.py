"""The predictions table: one row a sample, from which every report derives without a second inference.

Columns: id, split, path, target, prediction (class names), confidence, loss (cross-entropy, nats), and one
`p:<class>` a class (float32). Rows are sorted by split, then id.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from convoy.data.loader import BatchLoader
from convoy.data.store import Store
from convoy.training.network import Network

_BATCH = 256
_TINY = float(np.finfo(np.float32).tiny)


def probabilities(network: Network, store: Store) -> NDArray[np.float32]:
    """Softmax of the logits, (N, classes), in the store's order; fp32 on the CPU, so that it is exact."""
    network.eval()
    parts = []
    with torch.inference_mode():
        for batch in BatchLoader([store], batch_size=_BATCH):
            logits = network(torch.from_numpy(batch["images"]))
            parts.append(torch.softmax(logits.double(), dim=1).float().numpy())
    return np.concatenate(parts)


def table(
    stores: Mapping[str, tuple[Store, NDArray[np.float32]]],
    classes: Sequence[str],
    paths: Mapping[str, str],
) -> pd.DataFrame:
    """The predictions of several splits.

    Args:
        stores: split -> (store, probabilities (N, classes)).
        paths: sample id -> where the sample lies.
    """
    frames = []
    names = np.asarray(classes, dtype=object)
    for split, (store, probability) in stores.items():
        target = store.target
        chosen = probability.argmax(axis=1)
        of_target = probability[np.arange(len(target)), target].astype(np.float64)
        identifiers = [value.decode("ascii") for value in store.id.tolist()]
        frame = pd.DataFrame(
            {
                "id": identifiers,
                "split": split,
                "path": [paths[value] for value in identifiers],
                "target": names[target],
                "prediction": names[chosen],
                "confidence": probability.max(axis=1),
                "loss": -np.log(np.maximum(of_target, _TINY)),
            }
        )
        columns = {f"p:{name}": probability[:, n] for n, name in enumerate(classes)}
        frames.append(pd.concat([frame, pd.DataFrame(columns)], axis=1))
    return pd.concat(frames).sort_values(["split", "id"], kind="stable").reset_index(drop=True)


def class_names(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("p:") for column in predictions.columns if column.startswith("p:")]
