"""Rows in a bundle."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.bundle.card import Words
from convoy.data import ragged
from convoy.data.modalities.table import batching
from convoy.data.modalities.table.cells import Transformer
from convoy.data.store import Store
from convoy.training.network import Network

CODE = {"convoy.data.modalities.table.cells": "cells"}
ENDING = ".json"
_NAMED = 20


def requirements(preprocessor: Mapping[str, Any]) -> tuple[str, ...]:
    return "numpy", "onnxruntime"


def contents(store: Store, rows: NDArray[np.int64]) -> list[bytes]:
    """JSON of the rows."""
    values, bounds = ragged.take(*store.field(batching.ROW), rows)
    return [values[start:end].tobytes() for start, end in pairwise(bounds.tolist())]


def inputs(store: Store, rows: NDArray[np.int64], preprocessor: Mapping[str, Any]) -> NDArray[np.float32]:
    """(len(rows), features)."""
    return Transformer(preprocessor["spec"])(batching.cells(store[rows]))


def described(network: Network) -> dict[str, Any]:
    return {"name": network.inputs[0], "dtype": "float32", "layout": "NF"}


def changed(network: Network, model: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def words(info: Mapping[str, Any]) -> Words:
    spec = info["preprocessing"]["spec"]
    names = [f"`{column['name']}` ({column['kind']})" for column in spec["columns"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    unseen = "is refused" if spec["unseen"] == "error" else "counts as unknown"
    return Words(
        kind="A classifier of rows of a table",
        kind_chinese="表格分类模型",
        takes=f"It takes one row, with the columns\n{', '.join(names[:_NAMED])}{more};\na value may be "
        f"missing (null), a category that training did not hold {unseen};",
        things="rows",
        showing="a row that belongs to none of them",
        sources="other years and places",
        fitted="What fills gaps, scales numbers and numbers categories",
        example="row.json",
        example_chinese="行.json",
        column="a column for each of the table's",
        limits_chinese="适用于与训练数据同一来源的表格；缺失值请写 null。",
    )
