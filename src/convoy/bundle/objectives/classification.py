"""Classes in a bundle."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.bundle import golden as samples
from convoy.bundle import reference as references
from convoy.bundle.card import Says
from convoy.data.store import Store

ACTIVATION = "softmax"


def golden(store: Store) -> NDArray[np.int64]:
    """Spread over the classes."""
    return samples.choose(store.target)


def said(store: Store, rows: NDArray[np.int64], preprocessor: Mapping[str, Any]) -> list[str]:
    return [preprocessor["classes"][label] for label in store.target[rows]]


def described(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """The calibration, and for each class from which probability "it is this class" has the best F1."""
    return {
        "calibration": {
            "method": str(calibration.get("method", "none")),
            "temperature": float(calibration.get("temperature", 1.0)),
        },
        "thresholds": {
            name: float(row["threshold"]) for name, row in calibration.get("thresholds", {}).items()
        },
    }


def reference(
    predictions: pd.DataFrame, stores: Mapping[str, Store], looking: ModuleType
) -> pd.DataFrame | None:
    return references.table(predictions, stores, looking)


def _title(info: Mapping[str, Any]) -> str:
    return f"{len(info['classes'])} classes"


def _gives(info: Mapping[str, Any]) -> str:
    return f"and gives a probability for each class.\n\nClasses: {_classes(info['classes'])}\n"


def _baseline(found: Mapping[str, Any]) -> str:
    if "accuracy" not in found:
        return ""
    low, high = found["interval"]
    return f"""
For comparison: always answering with the most frequent class is right in {found["majority_accuracy"]:.4f}
of the cases, the baseline `{found["name"]}` on the same split in {found["accuracy"]:.4f}. The network's
accuracy differs from the baseline's by {found["difference"]:+.4f} [{low:+.4f}, {high:+.4f}].
"""


def _reading(info: Mapping[str, Any]) -> str:
    """How the probabilities and thresholds are meant to be read."""
    calibration = info.get("calibration", {"method": "none", "temperature": 1.0})
    test = info["metrics"]["test"]
    if calibration["method"] == "none":
        told = "The probabilities are the network's own, not calibrated: read them as a ranking."
    else:
        ece = f" The mean gap on the test split (ECE) is {test['ece']:.4f}." if "ece" in test else ""
        told = (
            f"The probabilities are calibrated (temperature {calibration['temperature']:.4f}, fitted on the "
            f"validation split): of the answers given with 0.9, about nine in ten are right.{ece}"
        )
    thresholds = info.get("thresholds") or {}
    rule = (
        '\n`thresholds` in bundle.json holds, for each class, the probability from which saying "it is this\n'
        'class" had the best F1 on the validation split. The prediction is always the most probable class.\n'
        if thresholds
        else ""
    )
    return f"{told}\n{rule}"


def _limits(info: Mapping[str, Any], showing: str) -> str:
    return f"It always answers with one of its {len(info['classes'])}\nclasses, also for {showing}."


def _chinese(info: Mapping[str, Any]) -> str:
    return f"共 {len(info['classes'])} 个类别。"


def _calibrated_chinese(info: Mapping[str, Any]) -> str:
    calibration = info.get("calibration", {"method": "none"})
    if calibration["method"] == "none":
        return "概率未经校准，只宜用于排序。"
    return f"概率经过温度校准（T = {calibration['temperature']:.4f}，在验证集上拟合）。"


_SHOWN_CLASSES = 30


def _classes(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN_CLASSES])
    return shown + (f" and {len(names) - _SHOWN_CLASSES} more" if len(names) > _SHOWN_CLASSES else "")


CARD = Says(
    metrics={
        "accuracy": ("accuracy", "准确率"),
        "macro_precision": ("precision (macro)", "精确率（宏平均）"),
        "macro_recall": ("recall (macro)", "召回率（宏平均）"),
        "macro_f1": ("F1 (macro)", "F1（宏平均）"),
        "log_loss": ("log-loss (nats)", "对数损失（nat）"),
    },
    sliced="accuracy",
    kind="",
    kind_chinese="",
    title=_title,
    gives=_gives,
    baseline=_baseline,
    reading=_reading,
    limits=_limits,
    outputs_chinese=_chinese,
    limits_chinese=_calibrated_chinese,
)
