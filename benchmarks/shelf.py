"""A registry of its own for benchmarks: the project's bundle and the same network in MLflow's torch flavour.

Both come from the artifacts of the last `convoy run`, so that they are the same trained network.
"""

import base64
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.checkout import PROJECT
from convoy.bundle import contents
from convoy.data.store import Store
from convoy.environment import default_tracking_uri
from convoy.io import read_json
from convoy.layout import BUNDLE, PREPARE, TRAIN
from convoy.registry import client as connection
from convoy.registry import versions

BUNDLED, TORCH = "models:/digits@champion", "models:/digits-torch@champion"


@dataclass(frozen=True)
class Shelf:
    """Where the models are, and pictures to ask about.

    Attributes:
        environment: for processes that are to use this registry.
        pictures: PNG files of the test split.
    """

    root: Path
    environment: dict[str, str]
    pictures: list[bytes]


def fill(root: Path, count: int, *, torch: bool = False) -> Shelf:
    """Register the bundle below `root`, and with `torch` the torch flavour.

    Raises:
        SystemExit: there are no artifacts.
    """
    if not (PROJECT / BUNDLE / "bundle.json").is_file():
        raise SystemExit("this benchmark measures the trained model: `make run` first")
    uri = default_tracking_uri(root)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    client = connection.connect(root)
    location = (root / "files").as_uri()
    run = client.create_run(client.create_experiment("benchmark", artifact_location=location))
    bundle = PROJECT / BUNDLE
    tags = {versions.BUNDLE_TAG: contents.digest(bundle)}
    version = versions.create(client, "digits", bundle, run, tags, "")
    client.set_registered_model_alias("digits", "champion", version.version)
    if torch:
        _register_torch(client, run.info.experiment_id)
    images = Store.open(PROJECT / PREPARE / "test").images[:count]
    return Shelf(root, {**os.environ, "MLFLOW_TRACKING_URI": uri}, [_png(image) for image in images])


def _register_torch(client: Any, experiment: str) -> None:
    import mlflow.pytorch
    import torch

    from convoy.training import network

    model = network.load(PROJECT / TRAIN, read_json(PROJECT / PREPARE / "preprocessor.json")).eval()
    example = np.asarray(Store.open(PROJECT / PREPARE / "test").images[:2])
    mlflow.set_experiment(experiment_id=experiment)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        info = mlflow.pytorch.log_model(
            model, name="torch", input_example=example, registered_model_name="digits-torch",
        )  # fmt: skip
    client.set_registered_model_alias("digits-torch", "champion", info.registered_model_version)


def _png(image: np.ndarray) -> bytes:
    done, content = cv2.imencode(".png", image[:, :, 0] if image.shape[2] == 1 else image[:, :, ::-1])
    assert done
    return content.tobytes()


def multipart(picture: bytes) -> bytes:
    """A whole HTTP request to `convoy serve`."""
    boundary = "x7MA4YWxkTrZu0gW"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode() + picture + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip
    return _request("/predict", f"multipart/form-data; boundary={boundary}", body)


def invocation(picture: bytes) -> bytes:
    """A whole HTTP request to any MLflow-like server."""
    rows = [[base64.b64encode(picture).decode("ascii")]]
    body = json.dumps({"dataframe_split": {"columns": ["image"], "data": rows}}).encode()
    return _request("/invocations", "application/json", body)


def _request(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
