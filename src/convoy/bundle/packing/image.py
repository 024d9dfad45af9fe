"""Pictures in a bundle."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.bundle.card import Words
from convoy.data.store import Store
from convoy.training.network import Network

CODE = {"convoy.data.pixels": "pixels"}
ENDING = ".png"


def requirements(preprocessor: Mapping[str, Any]) -> tuple[str, ...]:
    return "numpy", "onnxruntime", "opencv-python-headless", "pillow"


def contents(store: Store, rows: NDArray[np.int64]) -> list[bytes]:
    """PNG of the prepared arrays."""
    return [_png(image) for image in store[rows]["images"]]


def inputs(
    store: Store,
    rows: NDArray[np.int64],
    preprocessor: Mapping[str, Any],
) -> NDArray[np.uint8]:
    """(len(rows), H, W, C)."""
    images: NDArray[np.uint8] = store[rows]["images"]
    return images


def described(network: Network) -> dict[str, Any]:
    return {"name": network.inputs[0], "dtype": "uint8", "layout": "NHWC"}


def changed(network: Network, model: Mapping[str, Any]) -> dict[str, Any]:
    """Pretrained weights bring their own mean and deviation."""
    if not model.get("weights"):
        return {}
    return {name: network.get_buffer(name).flatten().tolist() for name in ("mean", "std")}


def words(info: Mapping[str, Any]) -> Words:
    spec = info["preprocessing"]["spec"]
    return Words(
        kind="An image classifier",
        kind_chinese="图像分类模型",
        takes=f"It takes one picture, brings it to\n{spec['height']}×{spec['width']} pixels with "
        f"{spec['channels']} channel(s) (resize: {spec['resize']}),",
        things="pictures",
        showing="a picture that shows none of them",
        sources="other cameras",
        fitted="Normalisation",
        example="picture.png",
        example_chinese="图片.png",
        column="column `image` of encoded pictures (bytes)",
        limits_chinese="适用于与训练数据相似的图片；对不属于任何类别的图片也会给出一个类别。",
    )


def _png(image: NDArray[np.uint8]) -> bytes:
    """(H, W, C) RGB or grey -> PNG bytes."""
    pixels = image[:, :, 0] if image.shape[2] == 1 else image[:, :, ::-1]
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels))
    assert done
    return content.tobytes()
