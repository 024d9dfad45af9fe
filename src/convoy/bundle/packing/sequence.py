"""Sequences in a bundle."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.bundle.card import Words
from convoy.data import ragged
from convoy.data.modalities.sequence.batching import CONTENT, VALUES, padded
from convoy.data.store import Store
from convoy.training.network import Network

CODE = {"convoy.data.modalities.sequence.signals": "signals"}
ENDING = ".json"


def requirements(preprocessor: Mapping[str, Any]) -> tuple[str, ...]:
    return "numpy", "onnxruntime"


def contents(store: Store, rows: NDArray[np.int64]) -> list[bytes]:
    """JSON as it came."""
    values, bounds = ragged.take(*store.field(CONTENT), rows)
    flat, ends = values.tobytes(), bounds.tolist()
    return [flat[start:end] for start, end in pairwise(ends)]


def inputs(
    store: Store,
    rows: NDArray[np.int64],
    preprocessor: Mapping[str, Any],
) -> NDArray[np.float32]:
    """(len(rows), longest, channels), NaN behind the shorter ones."""
    values, bounds = ragged.take(*store.field(VALUES), rows)
    result: NDArray[np.float32] = padded({VALUES: values, ragged.offsets_of(VALUES): bounds})
    return result


def described(network: Network) -> dict[str, Any]:
    return {"name": network.inputs[0], "dtype": "float32", "layout": "NLC"}


def changed(network: Network, model: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def words(info: Mapping[str, Any]) -> Words:
    preprocessing = info["preprocessing"]
    spec, names = preprocessing["spec"], preprocessing["names"]
    if spec["length"]:
        steps = f"resamples it to {spec['length']:,} steps"
    elif preprocessing["rate"]:
        steps = f"reads it at {preprocessing['rate']:,g} Hz (at most {spec['max_length']:,} steps)"
    else:
        steps = f"reads at most {spec['max_length']:,} steps"
    listed = f" ({', '.join(names)})" if names else ""
    return Words(
        kind="A sequence classifier",
        kind_chinese="序列分类模型",
        takes=f"It takes one sequence of {preprocessing['channels']} channel(s){listed},\n{steps}, "
        f"scales it (scale: {spec['scale']}; missing values: {spec['missing']}),",
        things="sequences",
        showing="a sequence that comes from none of them",
        sources="other sensors",
        fitted="The scaling",
        example="sequence.json",
        example_chinese="序列.json",
        column="column `sequence` (JSON: a list of numbers, or a list a time step)",
        limits_chinese="适用于与训练数据相似的序列；对不属于任何类别的序列也会给出一个类别。",
    )
