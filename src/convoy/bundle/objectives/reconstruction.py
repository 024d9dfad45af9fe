"""Autoencoders in a bundle."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.bundle import golden as samples
from convoy.bundle.card import Says
from convoy.data.store import Store

ACTIVATION = "error, code, reconstruction"


def golden(store: Store) -> NDArray[np.int64]:
    """Spread over the labels, where there are some."""
    return samples.choose(store.target)


def said(store: Store, rows: NDArray[np.int64], preprocessor: Mapping[str, Any]) -> list[str | None]:
    """Labels, which nothing is compared with; None where there are none."""
    if not preprocessor["labels"]:
        return [None] * len(rows)
    return [preprocessor["labels"][label] for label in store.target[rows].tolist()]


def described(calibration: Mapping[str, Any]) -> dict[str, Any]:
    return {"calibration": {"method": "none"}, "anomaly": dict(calibration["anomaly"])}


def reference(
    predictions: pd.DataFrame,
    stores: Mapping[str, Store],
    looking: ModuleType,
) -> None:
    """`convoy monitor` compares classes."""
    return


def _size(info: Mapping[str, Any]) -> int:
    return int(info["params"]["model"]["code_size"])


def _gives(info: Mapping[str, Any]) -> str:
    return (
        f"and gives a code of {_size(info)} numbers, the picture that follows from the code alone, and how "
        "far that is\nfrom what came in: the anomaly score.\n"
    )


def _baseline(found: Mapping[str, Any]) -> str:
    if "interval" not in found:
        return ""
    low, high = found["interval"]
    name = (
        f"{found['components']} principal components of the training split have"
        if found["name"] == "pca"
        else "the training split's mean picture has"
    )
    return f"""
For comparison: {name} an error of {found["mse"]:.5f}. The network's is smaller by {found["difference"]:.5f}
[{low:.5f}, {high:.5f}].
"""


def _reading(info: Mapping[str, Any]) -> str:
    threshold, quantile = info["anomaly"]["threshold"], info["anomaly"]["quantile"]
    return (
        "`error` is the mean squared difference over the pixels, which go from 0 to 1. A sample is called "
        f"`anomalous` above {threshold:.5f},\nbelow which {100 * quantile:g} % of the validation samples "
        "stay. `embedding` is the code: features for another model. model.onnx gives\nthe error, the code "
        "and the reconstruction's pixels (channels, rows, columns) in one row.\n"
    )


CARD = Says(
    metrics={
        "mse": ("mean squared error", "均方误差"),
        "mae": ("mean absolute error", "平均绝对误差"),
        "psnr": ("PSNR, dB", "峰值信噪比（dB）"),
        "ssim": ("SSIM", "结构相似性（SSIM）"),
        "probe_accuracy": ("accuracy of a linear model on the code", "编码上线性模型的准确率"),
    },
    sliced="error",
    kind="An autoencoder",
    kind_chinese="自编码器",
    title=lambda info: f"a code of {_size(info)} numbers",
    gives=_gives,
    baseline=_baseline,
    reading=_reading,
    limits=lambda _info, _showing: (
        "A large error says that a picture is\nunlike those that it learned from, not what is wrong with it; "
        "a simple picture may be restored well although it is."
    ),
    outputs_chinese=lambda info: f"编码长度 {_size(info)}，重建误差用作异常分数。",
    limits_chinese=lambda _info: "适用于与训练数据相似的图片；误差大说明图片异常，但不说明原因。",
)
