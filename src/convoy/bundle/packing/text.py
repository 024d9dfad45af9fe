"""Texts in a bundle."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.bundle.card import Words
from convoy.data import ragged
from convoy.data.modalities.text.augmenting import texts_of
from convoy.data.modalities.text.batching import TOKENS
from convoy.data.store import Store
from convoy.training.network import Network

CODE = {"convoy.data.modalities.text.tokens": "tokens"}
ENDING = ".txt"


def requirements(preprocessor: Mapping[str, Any]) -> tuple[str, ...]:
    segmenter = ("rjieba",) if preprocessor["spec"]["tokens"] == "chinese" else ()
    return "numpy", "onnxruntime", *segmenter


def contents(store: Store, rows: NDArray[np.int64]) -> list[bytes]:
    return [text.encode("utf-8") for text in texts_of(store, rows)]


def inputs(
    store: Store,
    rows: NDArray[np.int64],
    preprocessor: Mapping[str, Any],
) -> NDArray[np.int64]:
    """(len(rows), longest) token ids."""
    values, bounds = ragged.take(*store.field(TOKENS), rows)
    return ragged.padded(values.astype(np.int64), bounds, int(np.diff(bounds).max(initial=1)))


def described(network: Network) -> dict[str, Any]:
    return {"name": network.inputs[0], "dtype": "int64", "layout": "NL"}


def changed(network: Network, model: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def words(info: Mapping[str, Any]) -> Words:
    spec, known = info["preprocessing"]["spec"], len(info["preprocessing"]["vocabulary"])
    return Words(
        kind="A text classifier",
        kind_chinese="文本分类模型",
        takes=f"It takes one text, cuts it into\n{spec['tokens']} (at most {spec['max_length']}, "
        f"of {known:,} that it knows),",
        things="texts",
        showing="a text that is about none of them",
        sources="other authors",
        fitted="The vocabulary",
        example="text.txt",
        example_chinese="文本.txt",
        column="column `text`",
        limits_chinese="适用于与训练数据相似的文本；对不属于任何类别的文本也会给出一个类别。",
    )
