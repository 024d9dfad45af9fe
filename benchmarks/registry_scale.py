"""`convoy runs` and `convoy compare` where the store holds 500 runs: whole commands, imports and all.

The runs have 30 epochs of 6 metrics, 40 parameters and 20 tags each, written into MLflow's own schema; two
carry predictions of 10,000 samples. The peer asks MLflow's client for the same list.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.measure import Report, in_turns
from convoy.environment import default_tracking_uri

RUNS, EPOCHS, METRICS, PARAMS, TAGS, SAMPLES = 500, 30, 6, 40, 20, 10_000
TARGETS = {"convoy runs": 1.0, "convoy compare": 2.0}
_PARAMS = Path(__file__).resolve().parent.parent / "recipes" / "digits.yaml"
_PEER = """
import mlflow
client = mlflow.MlflowClient()
found = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=500)
print(*((run.info.run_name, run.info.status, run.data.metrics["test_accuracy"]) for run in found), sep="\\n")
"""


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        root = Path(folder)
        progress("a store of 500 runs")
        names = fill(root)
        commands = {
            "convoy runs": ["runs"],
            "convoy runs --limit 500": ["runs", "--limit", "500"],
            "convoy compare": ["compare", *names],
        }
        convoy = [sys.executable, "-c", "from convoy.cli import main; main()"]
        sides = {name: _command(root, [*convoy, *words]) for name, words in commands.items()}
        sides["MLflow's client, 500 runs"] = _command(root, [sys.executable, "-c", _PEER])
        seconds = in_turns(sides, rounds, progress)
    rows = [
        [name, f"{median(times):.2f} ({min(times):.2f}–{max(times):.2f})", _verdict(name, median(times))]
        for name, times in seconds.items()
    ]
    return Report(
        title=f"{RUNS} runs in a SQLite store; target: `runs` 1 s, `compare` of two 2 s",
        columns=["command", "s", "verdict"],
        rows=rows,
        notes=[f"Two runs with predictions of {SAMPLES:,} samples are compared."],
        data={name: median(times) for name, times in seconds.items()},
    )


def _verdict(name: str, seconds: float) -> str:
    target = TARGETS.get(name)
    return "" if target is None else "met" if seconds <= target else "MISSED"


def _command(root: Path, words: list[str]) -> Callable[[], float]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": default_tracking_uri(root)}

    def turn() -> float:
        begun = time.perf_counter()
        done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - begun
        assert done.returncode == 0, done.stderr
        assert "run-499" in done.stdout
        return taken

    return turn


def fill(root: Path) -> list[str]:
    """A project whose store holds the runs; the names of two that have predictions."""
    from convoy.registry import runs
    from convoy.registry.client import connect, database_file

    (root / "params.yaml").write_bytes(_PARAMS.read_bytes())
    (root / "dvc.yaml").write_text("stages: {}\n")
    os.environ["MLFLOW_TRACKING_URI"] = uri = default_tracking_uri(root)
    client = connect(root)
    experiment = runs.experiment_id(client, root, "digits")
    database = database_file(uri)
    assert database is not None
    with closing(sqlite3.connect(database)) as connection, connection:
        for number in range(RUNS):
            _write(connection, number, int(experiment), database.parent / "artifacts")
    random = np.random.default_rng(0)
    for number in (RUNS - 2, RUNS - 1):
        _predictions(database.parent / "artifacts" / f"{number:032x}", random)
    return [f"run-{number}" for number in (RUNS - 2, RUNS - 1)]


def _write(connection: sqlite3.Connection, number: int, experiment: int, artifacts: Path) -> None:
    run_id = f"{number:032x}"
    moment = 1_700_000_000_000 + number * 60_000
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, artifact_uri, "
        "experiment_id, lifecycle_stage) VALUES (?, ?, 'PROJECT', 'bench', 'FINISHED', ?, ?, ?, ?, 'active')",
        (run_id, f"run-{number}", moment, moment + 50_000, (artifacts / run_id).as_uri(), experiment),
    )
    params = [(f"section.param_{n}", str(n * (number % 3)), run_id) for n in range(PARAMS)]
    connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
    tags = [(f"convoy.tag_{n}", "x" * 40, run_id) for n in range(TAGS)] + [
        ("convoy.key", run_id[-16:], run_id)
    ]
    connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tags)
    points = [
        (f"metric_{n}", 1.0 / (step + 1), moment + step, run_id, step)
        for n in range(METRICS)
        for step in range(EPOCHS)
    ]
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
        points,
    )
    last = [*points[EPOCHS - 1 :: EPOCHS], ("test_accuracy", 0.9 + number / 10_000, moment, run_id, 0)]
    connection.executemany(
        "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) "
        "VALUES (?, ?, ?, ?, ?, 0)",
        last,
    )


def _predictions(folder: Path, random: np.random.Generator) -> None:
    target = random.integers(0, 10, SAMPLES)
    wrong = random.random(SAMPLES) < 0.05
    (folder / "evaluation").mkdir(parents=True)
    pd.DataFrame(
        {
            "id": [f"{n:032x}" for n in range(SAMPLES)],
            "split": "test",
            "path": [f"{n}.png" for n in range(SAMPLES)],
            "target": target.astype(str),
            "prediction": np.where(wrong, (target + 1) % 10, target).astype(str),
            "confidence": random.random(SAMPLES),
            "loss": random.random(SAMPLES),
        }
    ).to_parquet(folder / "evaluation" / "predictions.parquet", index=False)
