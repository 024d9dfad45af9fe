"""The predictions table: one row a sample, from which every report derives without a second inference.

Columns: id, split, path, target, prediction (class names), confidence, loss (cross-entropy, nats); then what
slices are made of: the manifest's own columns (width, height, mode, bytes …) and what the modality measures
(brightness of a picture); then one `p:<class>` a class (float32). Confidence, loss and probabilities are
those of the calibrated model. Rows are sorted by split, then id.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from convoy.data.store import Store

if TYPE_CHECKING:
    from convoy.training.network import Network

_BATCH = 64
_TINY = float(np.finfo(np.float32).tiny)
_OWN = ("id", "split", "path", "target", "prediction", "confidence", "loss")


def logits(network: "Network", samples: Any, *, bf16: bool = False) -> NDArray[np.float32]:
    """Of N samples: (N, classes), on the CPU.

    Args:
        samples: what a slice of them is, is what the network takes: of pictures, the array (N, H, W, C).
        bf16: compute in bf16, several times as fast where the processor has units for it, and good enough
            where only right answers are counted; otherwise fp32.
    """
    import torch

    network.eval()
    parts = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for start in range(0, len(samples), _BATCH):
            batch = np.array(samples[start : start + _BATCH])  # a copy: torch takes no read-only memory
            parts.append(network(torch.from_numpy(batch)).numpy())
    return np.concatenate(parts)


def softmax(values: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (N, classes) of logits (N, classes) that are divided by the temperature."""
    probability: NDArray[np.float64] = special.softmax(values.astype(np.float64) / temperature, axis=1)
    return probability.astype(np.float32)


def losses(probability: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cross-entropy (N,) in nats of probabilities (N, classes); finite, as of float32's least number."""
    of_target = probability[np.arange(len(target)), target].astype(np.float64)
    result: NDArray[np.float64] = -np.log(np.maximum(of_target, _TINY))
    return result


def table(
    stores: Mapping[str, tuple[Store, NDArray[np.float32]]],
    classes: Sequence[str],
    samples: pd.DataFrame,
    measures: Callable[[Store], Mapping[str, NDArray[Any]]],
) -> pd.DataFrame:
    """The predictions of several splits.

    Args:
        stores: split -> (store, probabilities (N, classes)).
        samples: the manifest: id, path and whatever else it knows of each sample.
        measures: columns (N,) by name, that the modality adds.
    """
    frames = []
    names = np.asarray(classes, dtype=object)
    known = samples.set_index("id")
    for split, (store, probability) in stores.items():
        own = measures(store)
        others = [c for c in map(str, known.columns) if c not in (*_OWN, *own) and not c.startswith("p:")]
        identifiers = [value.decode("ascii") for value in store.id.tolist()]
        rows = known.loc[identifiers]
        frame = pd.DataFrame(
            {
                "id": identifiers,
                "split": split,
                "path": rows["path"].tolist(),
                "target": names[store.target],
                "prediction": names[probability.argmax(axis=1)],
                "confidence": probability.max(axis=1),
                "loss": losses(probability, store.target),
                **{column: rows[column].array for column in others},
                **own,
            }
        )
        columns = {f"p:{name}": probability[:, n] for n, name in enumerate(classes)}
        frames.append(pd.concat([frame, pd.DataFrame(columns)], axis=1))
    return pd.concat(frames).sort_values(["split", "id"], kind="stable").reset_index(drop=True)


def of_numbers(
    answers: Mapping[str, tuple[Store, NDArray[np.float64], Mapping[str, NDArray[Any]]]],
    samples: pd.DataFrame,
    measures: Callable[[Store], Mapping[str, NDArray[Any]]],
) -> pd.DataFrame:
    """The predictions of objectives without classes: id, split, path, error, what slices are made of, and the
    objective's columns.

    Args:
        answers: split -> (store, the error of each sample (N,), columns (N,) by name).
        samples, measures: as for `table`.
    """
    frames = []
    known = samples.set_index("id")
    for split, (store, error, columns) in answers.items():
        own = measures(store)
        skipped = {"split", "path", "error", "keypoints", "values", "target", *own, *columns}
        identifiers = [value.decode("ascii") for value in store.id.tolist()]
        rows = known.loc[identifiers]
        frame = pd.DataFrame(
            {
                "id": identifiers,
                "split": split,
                "path": rows["path"].tolist(),
                "error": error,
                **{column: rows[column].array for column in map(str, known.columns) if column not in skipped},
                **own,
            }
        )
        frames.append(pd.concat([frame, pd.DataFrame(dict(columns))], axis=1))
    return pd.concat(frames).sort_values(["split", "id"], kind="stable").reset_index(drop=True)


def class_names(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("p:") for column in predictions.columns if column.startswith("p:")]
