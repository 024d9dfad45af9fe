"""`convoy stage NAME` with a clock around the stage's `main`; flow.py puts it into a copied dvc.yaml.

    python -m benchmarks.clocked_stage NAME

Leaves .convoy/bench/NAME.json, times in seconds since the epoch: when the process was made, when the stage's
function began and ended (its own work), and when all that follows (the MLflow mirror) was done.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(".convoy") / "bench"


def main(name: str) -> None:
    from convoy.cli import main as convoy

    times = {"created": psutil.Process().create_time()}
    module = import_module(f"convoy.stages.{name}")
    work = module.main

    def clocked(*arguments: Any) -> None:
        times["began"] = time.time()
        work(*arguments)
        times["ended"] = time.time()

    module.main = clocked  # type: ignore[attr-defined]
    sys.argv = ["convoy", "stage", name]
    try:
        convoy()
    finally:
        times["exited"] = time.time()
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{name}.json").write_text(json.dumps(times), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
