"""From the start of a process to 99.0 % test accuracy on full MNIST: convoy over the example of Keras.

Ours is what a user types, in a copy of this project with MNIST's files and the mnist recipe cut to a few
epochs: `convoy run`, the whole pipeline, once; then `convoy stage train` from its prepared arrays, in turns
with the example. The training has a fixed length and never looks at the test images: that it reaches the
accuracy is read from the evaluation of the first run, and each later one must end in the same weights.
The example is evaluated on the test images after each epoch and stops at the first that reaches it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from benchmarks import checkout, environments, mnist
from benchmarks.checkout import PROJECT
from benchmarks.measure import Report, ratio, spread, verdict
from benchmarks.processes import environment
from convoy.io import read_json, sha256_file
from convoy.layout import EVALUATE, STATE, TRAIN

TARGET = 0.5
ACCURACY = 0.99
EPOCHS = 2
MOST_ROUNDS = 3  # the example takes minutes; nothing is warmed up, as a process starts cold

STAGE, RUN, EXAMPLE = "convoy stage train", "convoy run, all of it", "Keras example"
_DATA = Path("data/raw/mnist")
_EXAMPLE = "benchmarks.frameworks.keras_example"
_ELSEWHERE = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "MPLCONFIGDIR")


def run(rounds: int, progress: Callable[[str], None], *, images: int = mnist.TRAIN) -> Report:
    rounds = min(rounds, MOST_ROUNDS)
    progress("the environment of Keras (made once)")
    keras = environments.python(Path(__file__).parent / "frameworks" / "keras.txt")
    seconds: dict[str, list[float]] = {STAGE: [], EXAMPLE: []}
    found: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        arrays = mnist.arrays(Path(folder) / "arrays", images)
        root = project(Path(folder) / "project", arrays)
        progress(RUN)
        whole = _convoy(root, "run")
        weights = sha256_file(root / TRAIN / "model.safetensors")
        accuracy = float(read_json(root / EVALUATE / "metrics.json")["test"]["accuracy"])
        for turn in range(rounds):
            progress(f"round {turn + 1}/{rounds}: {STAGE}")
            forget(root)
            seconds[STAGE].append(_convoy(root, "stage", "train"))
            assert sha256_file(root / TRAIN / "model.safetensors") == weights, (
                "the training came out otherwise"
            )
            progress(f"round {turn + 1}/{rounds}: {EXAMPLE}")
            taken, said = _example(keras, arrays)
            seconds[EXAMPLE].append(taken)
            found.append(said)
    over = ratio(seconds[STAGE], seconds[EXAMPLE])
    over_all = ratio([whole] * rounds, seconds[EXAMPLE])
    theirs = [each["accuracy"][-1] for each in found]
    short = [name for name, least in ((STAGE, accuracy), (EXAMPLE, min(theirs))) if least < ACCURACY]
    return Report(
        title=f"time_to_99: seconds of the whole process to {ACCURACY:.1%} on {images // 6:,} test images",
        columns=["", "s (least–most)", "test accuracy", "epochs", "over the example", f"target ≤ {TARGET}"],
        rows=[
            [STAGE, spread(seconds[STAGE]), f"{accuracy:.4f}", str(EPOCHS), f"{over:.2f}",
             "MISSED: accuracy" if STAGE in short else verdict(over, TARGET)],
            [RUN, f"{whole:.0f}", f"{accuracy:.4f}", str(EPOCHS), f"{over_all:.2f}", ""],
            [EXAMPLE, spread(seconds[EXAMPLE]), f"{min(theirs):.4f}",
             ", ".join(str(len(each["accuracy"])) for each in found), "1", ""],
        ],
        notes=[
            f"Versions: {', '.join(f'{name} {version}' for name, version in found[0]['versions'].items())}.",
            f"The mnist recipe's network, {EPOCHS} epochs, no augmentation, all cores; the same weights in "
            f"all {rounds + 1} trainings. `{RUN}` was timed once and installs nothing.",
            *(f"{name} did not reach {ACCURACY:.1%}: its time stands for nothing." for name in short),
        ],
        data={
            "images": images, "seconds": seconds, "whole": whole, "accuracy": accuracy, "example": found,
            "ratio": over, "target": TARGET, "met": not short and over <= TARGET,
        },
    )  # fmt: skip


def project(root: Path, arrays: Path) -> Path:
    """This project as it is now, committed, with MNIST in idx files and a short training."""
    checkout.copy(root, own_data=False)
    mnist.write_idx(arrays, root / _DATA)
    yaml = YAML()
    params = yaml.load((PROJECT / "recipes" / "mnist.yaml").read_text(encoding="utf-8"))
    params["augment"]["online"] = False
    params["train"].update(epochs=EPOCHS, early_stopping=None)
    params["train"]["schedule"].update(warmup_epochs=0.5)
    params["register"]["gate"].update(minimum=0.0, max_ece=None, slice_margin=None, beat_baseline=False)
    with (root / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    with (root / ".gitignore").open("a", encoding="utf-8") as handle:
        handle.write(f"/{_DATA}/\n")
    checkout.commit(root)
    return root


def forget(root: Path) -> None:
    """The finished training, so that the stage trains anew."""
    for path in (root / TRAIN, root / STATE / "checkpoints", root / STATE / "runs"):
        shutil.rmtree(path, ignore_errors=True)


def _convoy(root: Path, *arguments: str) -> float:
    """Seconds of a command in the project."""
    tools = Path(sys.executable).parent
    settings = {name: value for name, value in environment().items() if name not in _ELSEWHERE}
    settings["PATH"] = f"{tools}{os.pathsep}{settings.get('PATH', '')}"
    settings["PYTHONPATH"] = str(root / "src")
    return _timed([str(tools / "convoy"), *arguments], root, settings)[0]


def _example(python: Path, arrays: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of the example, and what it said last."""
    command = [str(python), "-m", _EXAMPLE, str(arrays), "--accuracy", str(ACCURACY)]
    taken, output = _timed(command, PROJECT, environment())
    said: dict[str, Any] = json.loads(output.splitlines()[-1])
    return taken, said


def _timed(command: list[str], folder: Path, settings: dict[str, str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    taken = time.perf_counter() - start
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}:\n{last}")
    return taken, done.stdout
