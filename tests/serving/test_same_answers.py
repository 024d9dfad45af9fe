"""One network, five ways: torch's answers are saved; the others must give them where torch is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from convoy.io import read_json
from convoy.serving.predictor import Predictor
from convoy.training import network
from tests import toys

COUNT = 500
PROGRAM = Path(__file__).with_name("five_ways.py")
BLOCKED = (
    "torch", "pytorch_lightning", "safetensors", "onnx", "onnxscript", "albumentations", "dvc", "prefect",
)  # fmt: skip


@pytest.fixture(scope="module")
def asked(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 PNG files between the two classes, and torch.npz: torch's probabilities for them in name order."""
    folder = tmp_path_factory.mktemp("asked")
    images, part = toys.images(COUNT, seed=9), np.random.default_rng(7).uniform(0.49, 0.51, (COUNT, 1, 1, 1))
    images = (images * part + images[:, ::-1] * (1 - part)).astype(np.uint8)
    for number, image in enumerate(images):
        assert cv2.imwrite(str(folder / f"{number:03d}.png"), image)
    good = workshop / "good"
    preprocessor = read_json(workshop / "shared" / "prepare" / "preprocessor.json")
    model = network.load(good / "train", preprocessor)
    with torch.inference_mode():
        logits = model.eval()(torch.from_numpy(images)).double()
    temperature = Predictor(good / "bundle").output.temperature
    found = torch.softmax(logits / temperature, dim=1).numpy()
    assert (found.max(axis=1) < 0.99).mean() > 0.05  # not all of them are easy
    np.savez(folder / "torch.npz", probabilities=found)
    return folder


def test_onnx_pyfunc_predict_and_http_give_torchs_answers_where_there_is_no_torch(
    asked: Path, workshop: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nfor n in {BLOCKED!r}: sys.modules[n] = None\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM, asked, workshop / "good" / "bundle"],
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}",
            "PYTHONDONTWRITEBYTECODE": "1",  # MLflow imports the program where it lies
        },
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {"onnx", "pyfunc", "predict", "http /predict", "http /invocations"}
    for way, (labels, difference) in report.items():
        assert labels == COUNT, way
        assert difference <= 1e-4, way
