"""Many pictures through `convoy predict`'s engine, and one picture from the registry in a fresh process."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

from benchmarks import shelf
from benchmarks.checkout import PROJECT
from benchmarks.measure import Report, Side, in_turns, ratio, spread, verdict
from convoy.data._threads import cores
from convoy.data.store import Store
from convoy.layout import BUNDLE, PREPARE
from convoy.serving import engine
from convoy.serving.predictor import Predictor

THROUGHPUT, COLD = 0.8, 0.3  # targets: at least, at most
REPEATS = 5  # times the test split
_BATCH = engine.BATCH

ENGINE, BARE, FILES = (
    "engine, decoded arrays",
    "bare onnxruntime loop",
    "engine, PNG files (decoding included)",
)
OURS, TORCH = "convoy predict", "mlflow.pyfunc.load_model, torch flavour"

_THEIRS = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, numpy as np, cv2
model = mlflow.pyfunc.load_model(sys.argv[1])
picture = cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE)[None, :, :, None]
print(int(np.asarray(model.predict(picture)).argmax()))
"""


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder:
        stock = shelf.fill(Path(folder), 500, torch=True)
        throughput = in_turns(_engines(stock), rounds, progress)
        cold = in_turns(_processes(stock), rounds, progress)
    share = ratio(throughput[BARE], throughput[ENGINE])  # pictures a second: ours / theirs
    start = ratio(cold[OURS], cold[TORCH])
    count = len(_images())
    rows = []
    for name, taken in throughput.items():
        theirs = (f"{share:.2f}", verdict(THROUGHPUT, share)) if name == ENGINE else ("", "")
        rows.append([f"(b) {name}", f"{count / median(taken):.0f} pictures a second", *theirs])
    for name, taken in cold.items():
        theirs = (f"{start:.2f}", verdict(start, COLD)) if name == OURS else ("", "")
        rows.append([f"(d) {name}", f"{spread(taken)} s", *theirs])
    return Report(
        title="(b) prediction throughput, (d) registry to first prediction, cold",
        columns=["side", "measured", "ours to theirs", f"target (b) ≥ {THROUGHPUT}, (d) ≤ {COLD}"],
        rows=rows,
        notes=[
            f"(b) {count} digits of 28 x 28 in batches of {_BATCH}, {cores()} threads on every side.",
            "(d) a fresh Python, the champion by name, one picture; both sides gave the same class.",
        ],
        data={
            "throughput_seconds": throughput, "throughput_ratio": share, "cold_seconds": cold,
            "cold_ratio": start, "met": share >= THROUGHPUT and start <= COLD,
        },
    )  # fmt: skip


def _images() -> np.ndarray:
    return np.concatenate([Store.open(PROJECT / PREPARE / "test").images] * REPEATS)


def _engines(stock: shelf.Shelf) -> dict[str, Side]:
    images = _images()
    predictor = Predictor(PROJECT / BUNDLE, threads=cores())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(PROJECT / BUNDLE / "model.onnx", options)
    arrays = list(images)
    files = [stock.pictures[number % len(stock.pictures)] for number in range(len(images))]

    def bare() -> float:
        start = time.perf_counter()
        for first in range(0, len(images), _BATCH):
            session.run(None, {"images": images[first : first + _BATCH]})
        return time.perf_counter() - start

    def through(contents: list[np.ndarray] | list[bytes]) -> Side:
        def side() -> float:
            start = time.perf_counter()
            done = sum(len(batch.rows) for batch in engine.classify_all(predictor, contents))
            assert done == len(images)
            return time.perf_counter() - start

        return side

    found = np.concatenate([b.rows for b in engine.classify_all(predictor, arrays)]).argmax(axis=1)
    (logits,) = session.run(None, {"images": images})
    assert np.array_equal(found, logits.argmax(axis=1))
    return {ENGINE: through(arrays), BARE: bare, FILES: through(files)}


def _processes(stock: shelf.Shelf) -> dict[str, Side]:
    picture = stock.root / "picture.png"
    picture.write_bytes(stock.pictures[0])
    ours = ["-c", "from convoy.cli import main; main()", "predict", str(picture), "--model", shelf.BUNDLED]
    sides = {OURS: [*ours, "--json"], TORCH: ["-c", _THEIRS, shelf.TORCH, str(picture)]}
    outputs: dict[str, str] = {}

    def process(name: str) -> Side:
        def side() -> float:
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, *sides[name]], cwd=stock.root, env=stock.environment,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            taken = time.perf_counter() - start
            assert done.returncode == 0, done.stderr
            outputs[name] = done.stdout
            if len(outputs) == len(sides):
                label = outputs[TORCH].split()[-1]
                assert f'"label": "{label}"' in outputs[OURS], outputs
            return taken

        return side

    return {name: process(name) for name in sides}
