"""Several labels a sample in a bundle."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.bundle.card import Says
from convoy.bundle.golden import COUNT
from convoy.data.store import Store

ACTIVATION = "sigmoid"
_SHOWN = 30


def golden(store: Store) -> NDArray[np.int64]:
    """Evenly spread over the split."""
    return np.unique(np.linspace(0, len(store) - 1, min(COUNT, len(store))).astype(np.int64))


def said(store: Store, rows: NDArray[np.int64], preprocessor: Mapping[str, Any]) -> list[str]:
    assert store.values is not None
    names = np.array(preprocessor["classes"], dtype=object)
    return [preprocessor["separator"].join(names[held > 0.5]) for held in store.values[rows]]


def described(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """For each label from which probability on it is said."""
    fitted = calibration.get("thresholds", {})
    return {
        "calibration": {"method": "none"},
        "thresholds": {name: float(row["threshold"]) for name, row in fitted.items()},
    }


def reference(
    predictions: pd.DataFrame,
    stores: Mapping[str, Store],
    looking: ModuleType,
) -> None:
    """`convoy monitor` compares classes."""
    return


def _gives(info: Mapping[str, Any]) -> str:
    names = list(info["classes"])
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"and gives a probability for each label, any number of which may hold.\n\nLabels: {shown}{more}\n"


def _baseline(found: Mapping[str, Any]) -> str:
    if "interval" not in found:
        return ""
    low, high = found["interval"]
    return f"""
For comparison: always saying the labels that most training samples have is wrong in
{found["hamming_loss"]:.4f} of the labels, the network in {found["difference"]:.4f} fewer
[{low:.4f}, {high:.4f}].
"""


CARD = Says(
    metrics={
        "macro_f1": ("F1 (macro)", "F1（宏平均）"),
        "micro_f1": ("F1 (micro)", "F1（微平均）"),
        "mean_ap": ("mean average precision", "平均精确率均值（mAP）"),
        "subset_accuracy": ("all labels right", "全部标签正确率"),
        "hamming_loss": ("wrong labels (Hamming loss)", "标签错误率"),
    },
    sliced="error",
    kind="A model of several labels",
    kind_chinese="多标签模型",
    title=lambda info: f"{len(info['classes'])} labels",
    gives=_gives,
    baseline=_baseline,
    reading=lambda _info: (
        "Each probability is a question of its own; they do not sum to 1, and are not calibrated. A label\n"
        "is said from its threshold on (`thresholds` in bundle.json), which had the best F1 on "
        "validation.\n"
    ),
    limits=lambda _info, showing: f"It may answer with no label at all,\nand should for {showing}.",
    outputs_chinese=lambda info: f"共 {len(info['classes'])} 个标签。",
    limits_chinese=lambda _info: "适用于与训练数据相似的样本；各标签的概率相互独立，未经校准。",
)
