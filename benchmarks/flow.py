"""(c) What the flow costs above its stages' own work, and where that goes.

`convoy run` in a copy of this project: first on a fresh state, then again with nothing changed, where it asks
DVC once and starts neither server nor flow (noop.py compares that with `dvc status`). The copy differs in two
things: training is short (the overhead does not grow with it), and dvc.yaml calls the stages through
clocked_stage.py, so that work and overhead come from one and the same run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from ruamel.yaml import YAML

from benchmarks import checkout
from benchmarks.checkout import PROJECT
from benchmarks.clocked_stage import FOLDER
from benchmarks.measure import Report, spread
from convoy.cli.stage import STAGES

EPOCHS = 3
_FINISHED = re.compile(r"Task run '([^']+)' - Finished in state")
_BEGUN = "Beginning flow run"
_FLOW_FINISHED = re.compile(r"Flow run '[^']+' - Finished in state")
_ELSEWHERE = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "MPLCONFIGDIR")

WALL, WORK, OVERHEAD = "wall time", "the stages' own work", "overhead"
SERVER = "until the flow's process starts: status, server, checks"
BEGIN = "until the flow begins: Prefect's import, first requests"
DATA = "data and graph"
IMPORTS = "stages: Python and imports"
MIRROR = "stages: MLflow mirror after the work"
DVC = "stages: DVC and Prefect"
REGISTER = "registration"
LEAVE = "after registration: artifact, table, exit"
STOP = "server's end"
PARTS = (SERVER, BEGIN, DATA, IMPORTS, MIRROR, DVC, REGISTER, LEAVE, STOP)


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    runs: dict[str, list[dict[str, float]]] = {"fresh": [], "again": []}
    stages: list[dict[str, dict[str, float]]] = []
    for turn in range(rounds + 1):
        with TemporaryDirectory(prefix="convoy-bench-") as folder:
            root = Path(folder) / "project"
            copy(root)
            for state, found in runs.items():
                progress(f"{f'round {turn}/{rounds}' if turn else 'warm-up'}: {state}")
                parts, by_stage = once(root)
                if turn:
                    found.append(parts)
                    if state == "fresh":
                        stages.append(by_stage)
    shown = (WALL, WORK, OVERHEAD, *PARTS)
    rows = [
        [
            f"  {part}" if part in PARTS else part,
            spread([parts[part] for parts in runs["fresh"]]),
            "" if part in PARTS else spread([parts[part] for parts in runs["again"]]),
        ]
        for part in shown
    ]
    detail = {
        name: {key: round(median(each[name][key] for each in stages), 3) for key in stages[0][name]}
        for name in stages[0]
    }
    heavy = sorted(detail, key=lambda name: -(detail[name]["all"] - detail[name]["work"]))[:3]
    return Report(
        title=f"(c) seconds of `convoy run`, with {EPOCHS} epochs of training",
        columns=["", "fresh state", "again, nothing changed"],
        rows=rows,
        notes=[
            "Each stage ran in the flow itself; its own work is what its function took, imports left out.",
            "Most overhead, fresh: "
            + ", ".join(f"{name} {detail[name]['all'] - detail[name]['work']:.1f} s" for name in heavy),
            f"Medians of {rounds} rounds, each in a new copy of the project; least and most in brackets.",
        ],
        data={"runs": runs, "stages": detail, "bytecode": not sys.dont_write_bytecode},
    )


def copy(root: Path) -> None:
    """This project as it is now, committed, with a short training and the stages on a clock."""
    checkout.copy(root, own_data=True)
    graph = root / "dvc.yaml"
    text = graph.read_text(encoding="utf-8")
    assert text.count("cmd: convoy stage ") == len(STAGES)
    module = "cmd: python -m benchmarks.clocked_stage "
    graph.write_text(text.replace("cmd: convoy stage ", module), encoding="utf-8")
    yaml = YAML()
    params = yaml.load((PROJECT / "recipes" / "digits.yaml").read_text(encoding="utf-8"))
    params["train"]["epochs"] = EPOCHS
    params["register"]["gate"].update(minimum=0.5, beat_baseline=False, max_ece=None)
    with (root / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    checkout.commit(root)


def once(root: Path) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Seconds of the parts of one `convoy run`, and of each stage that did something.

    Raises:
        RuntimeError: the run failed; its last lines are shown.
    """
    shutil.rmtree(root / FOLDER, ignore_errors=True)
    tools = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment["PATH"] = f"{tools}{os.pathsep}{environment.get('PATH', '')}"
    start = time.time()
    process = subprocess.Popen(
        [str(tools / "convoy"), "run"],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    marks: dict[str, float] = {}
    finished: list[tuple[str, float]] = []
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        now = time.time()
        lines.append(line)
        if _BEGUN in line and "begun" not in marks:
            marks["begun"] = now
            marks["flow"] = _watch_flow(process.pid, marks)
        elif found := _FINISHED.search(line):
            finished.append((found[1], now))
    process.wait()
    end = time.time()
    if not process.returncode and not marks:
        return _nothing(end - start), {}
    if process.returncode or not {"begun", "flow", "left"} <= marks.keys():
        raise RuntimeError(f"`convoy run` ended with {process.returncode}:\n{''.join(lines[-40:])}")
    return _parts(start, end, marks, finished, root)


def _watch_flow(pid: int, marks: dict[str, float]) -> float:
    """When the flow's process was made; its end goes into `marks` as `left`."""
    flow = next(
        child for child in psutil.Process(pid).children() if any("pipeline.py" in a for a in child.cmdline())
    )

    def wait() -> None:
        flow.wait()
        marks["left"] = time.time()

    threading.Thread(target=wait, daemon=True).start()
    return float(flow.create_time())


def _nothing(wall: float) -> dict[str, float]:
    """The parts of a run that found nothing to do."""
    return dict.fromkeys((WALL, WORK, OVERHEAD, *PARTS), 0.0) | {WALL: wall, OVERHEAD: wall}


def _parts(
    start: float, end: float, marks: dict[str, float], finished: list[tuple[str, float]], root: Path
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    parts = dict.fromkeys((WALL, WORK, OVERHEAD, *PARTS), 0.0)
    parts[SERVER] = marks["flow"] - start
    parts[BEGIN] = marks["begun"] - marks["flow"]
    by_stage: dict[str, dict[str, float]] = {}
    before = marks["begun"]
    for name, now in finished:  # the stages of the default recipe form a chain
        taken, before = now - before, now
        if name in STAGES:
            inner = _inner(root / FOLDER / f"{name}.json")
            parts[WORK] += inner["work"]
            parts[IMPORTS] += inner["imports"]
            parts[MIRROR] += inner["after"]
            parts[DVC] += taken - sum(inner.values())
            by_stage[name] = {"all": taken, **inner}
        else:
            parts[REGISTER if name == "register" else DATA] += taken
    parts[LEAVE] = marks["left"] - before
    parts[STOP] = end - marks["left"]
    parts[WALL] = end - start
    parts[OVERHEAD] = parts[WALL] - parts[WORK]
    return parts, by_stage


def _inner(clock: Path) -> dict[str, float]:
    """What a stage's process did with its time; nothing where DVC had no reason to start it."""
    if not clock.is_file():
        return {"work": 0.0, "imports": 0.0, "after": 0.0}
    times: dict[str, Any] = json.loads(clock.read_text(encoding="utf-8"))
    return {
        "work": times["ended"] - times["began"],
        "imports": times["began"] - times["created"],
        "after": times["exited"] - times["ended"],
    }
