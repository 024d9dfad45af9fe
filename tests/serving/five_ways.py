"""A program: FOLDER BUNDLE. FOLDER holds pictures and torch.npz, torch's answers; it prints, for each way to
predict without torch, how many labels are torch's, and the largest difference of a probability.

It runs where nothing of the pipeline is installed; so it imports nothing of the tests.
"""

import base64
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np

from convoy.serving.predictor import Predictor

BLOCK = 50  # pictures in a request


def main(folder: Path, bundle: Path) -> None:
    assert sys.modules.get("torch") is None
    pictures = sorted(folder.glob("*.png"))
    expected = np.load(folder / "torch.npz")["probabilities"]
    predictor = Predictor(bundle)
    ways = {
        "onnx": np.concatenate(list(predictor.rows(pictures))),
        "pyfunc": by_pyfunc(bundle, pictures, predictor.classes),
        "predict": by_predict(bundle, folder, predictor.classes),
        **by_http(bundle, pictures, predictor.classes),
    }
    report = {}
    for way, found in ways.items():
        same = int((found.argmax(axis=1) == expected.argmax(axis=1)).sum())
        report[way] = (same, float(np.abs(found - expected).max()))
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401

        raise SystemExit("torch is here; this proves nothing")
    sys.stdout.write(json.dumps(report) + "\n")


def by_pyfunc(bundle: Path, pictures: list[Path], classes: list[str]) -> np.ndarray:
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    with tempfile.TemporaryDirectory() as scratch:
        pyfunc.save_model(
            f"{scratch}/model",
            python_model=str(bundle / "code" / "pyfunc.py"),
            artifacts={"bundle": str(bundle)},
            signature=ModelSignature(inputs=Schema([ColSpec("binary", "image")])),
            pip_requirements=[],
        )
        model = pyfunc.load_model(f"{scratch}/model")
        table = model.predict(pd.DataFrame({"image": [path.read_bytes() for path in pictures]}))
    return table[[f"p:{name}" for name in classes]].to_numpy(np.float64)


def convoy(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", "from convoy.cli import main; main()", *arguments]


def by_predict(bundle: Path, folder: Path, classes: list[str]) -> np.ndarray:
    command = convoy("predict", str(folder), "--model", str(bundle), "--json")
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return np.array([[row["probabilities"][name] for name in classes] for row in rows])


def by_http(bundle: Path, pictures: list[Path], classes: list[str]) -> dict[str, np.ndarray]:
    server = subprocess.Popen(
        convoy("serve", "--model", str(bundle), "--port", "0"), stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    try:
        address = server.stderr.readline().split(" at ")[1].split()[0]
        blocks = [pictures[n : n + BLOCK] for n in range(0, len(pictures), BLOCK)]
        forms = [row for block in blocks for row in ask(address, "/predict", *form(block))]
        frames = [row for block in blocks for row in ask(address, "/invocations", *frame(block))]
    finally:
        server.terminate()
        server.wait(20)
        server.stderr.close()
    return {
        "http /predict": np.array([[row["probabilities"][name] for name in classes] for row in forms]),
        "http /invocations": np.array([[row[f"p:{name}"] for name in classes] for row in frames]),
    }


def ask(address: str, path: str, kind: str, body: bytes) -> list[dict]:
    for _ in range(100):
        try:
            with urlopen(Request(address + path, body, {"content-type": kind}), timeout=30) as response:
                return json.loads(response.read())["predictions"]
        except OSError:  # it says its address a moment before it listens
            time.sleep(0.1)
    raise SystemExit(f"no answer of {address}{path}")


def form(pictures: list[Path]) -> tuple[str, bytes]:
    body = io.BytesIO()
    for path in pictures:
        head = f'Content-Disposition: form-data; name="files"; filename="{path.name}"'
        body.write(f"--xx\r\n{head}\r\nContent-Type: image/png\r\n\r\n".encode())
        body.write(path.read_bytes() + b"\r\n")
    return "multipart/form-data; boundary=xx", body.getvalue() + b"--xx--\r\n"


def frame(pictures: list[Path]) -> tuple[str, bytes]:
    rows = [[base64.b64encode(path.read_bytes()).decode("ascii")] for path in pictures]
    return "application/json", json.dumps({"dataframe_split": {"columns": ["image"], "data": rows}}).encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
