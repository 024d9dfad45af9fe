"""Numbers and points in a bundle."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.bundle.card import Says
from convoy.bundle.golden import COUNT
from convoy.data.objectives.regression import places
from convoy.data.store import Store

ACTIVATION = "standardised"
_SHOWN = 30


def golden(store: Store) -> NDArray[np.int64]:
    """Evenly spread over the split."""
    return np.unique(np.linspace(0, len(store) - 1, min(COUNT, len(store))).astype(np.int64))


def said(
    store: Store,
    rows: NDArray[np.int64],
    preprocessor: Mapping[str, Any],
) -> list[list[float | None]]:
    """The targets' numbers; None where a point is not known."""
    if store.values is not None:
        found = store.values[rows].astype(np.float64)
    else:
        assert store.keypoints is not None
        found = places(store.keypoints[rows])
    return [[None if value != value else round(value, 4) for value in row] for row in found.tolist()]


def described(calibration: Mapping[str, Any]) -> dict[str, Any]:  # nothing is calibrated
    return {"calibration": {"method": "none"}}


def reference(
    predictions: pd.DataFrame,
    stores: Mapping[str, Store],
    looking: ModuleType,
) -> None:
    """`convoy monitor` compares classes."""
    return


def _points(info: Mapping[str, Any]) -> list[str]:
    return list(info["preprocessing"].get("points", ()))


def _title(info: Mapping[str, Any]) -> str:
    points = _points(info)
    return f"{len(points)} points" if points else f"{len(info['classes'])} values"


def _gives(info: Mapping[str, Any]) -> str:
    points = _points(info)
    names = points or list(info["classes"])
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    if points:
        return f"and gives the place of each point.\n\nPoints: {shown}{more}\n"
    return f"and gives a number for each value.\n\nValues: {shown}{more}\n"


def _baseline(found: Mapping[str, Any]) -> str:
    if "interval" not in found:
        return ""
    (low, high), name = found["interval"], "nme" if "nme" in found else "mae"
    return f"""
For comparison: always answering with the mean of the training split has an error ({name}) of
{found[name]:.4f}. The network's is smaller by {found["difference"]:.4f} [{low:.4f}, {high:.4f}].
"""


def _reading(info: Mapping[str, Any]) -> str:
    if not _points(info):
        return "The values are in the units of the training data. Nothing says how sure the network is.\n"
    spec, ends = info["preprocessing"]["spec"], info["preprocessing"]["distance"]
    points = _points(info)
    length = (
        f"the distance between the points `{points[ends[0]]}` and `{points[ends[1]]}`"
        if ends
        else "the root of the area of the box around all points"
    )
    return (
        f"`values` are pixels of the prepared picture of {spec['height']}×{spec['width']}, the centre of the "
        "first one at 0;\n`points` are shares of its width and height. Nothing says how sure the network is. "
        f"NME is the mean distance\nof the points in multiples of {length}.\n"
    )


def _limits(info: Mapping[str, Any], showing: str) -> str:
    return "It always answers with numbers,\nalso for what shows nothing of the kind."


CARD = Says(
    metrics={
        "nme": ("NME", "归一化平均误差（NME）"),
        "pck_10": ("PCK at 0.1", "PCK@0.1"),
        "mae": ("mean absolute error", "平均绝对误差"),
        "rmse": ("root mean squared error", "均方根误差"),
        "r2": ("R²", "决定系数 R²"),
    },
    sliced="error",
    kind="A regression",
    kind_chinese="回归模型",
    title=_title,
    gives=_gives,
    baseline=_baseline,
    reading=_reading,
    limits=_limits,
    outputs_chinese=lambda info: (
        f"共 {len(_points(info)) or len(info['classes'])} 个{'关键点' if _points(info) else '数值'}。"
    ),
    limits_chinese=lambda _info: "适用于与训练数据相似的样本；不给出置信度。",
)
