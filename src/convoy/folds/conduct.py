"""All folds, one after another; those that are finished already are not done again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from convoy import errors
from convoy.config.schema import Config
from convoy.environment import state_dir
from convoy.errors import ConvoyError, ResourceError
from convoy.folds import mirror, plan, results
from convoy.folds.plan import DONE, FAILURE, Fold, Plan
from convoy.folds.results import Result
from convoy.io import read_json, write_json
from convoy.layout import AUGMENT, EVALUATE, PARAMS, PREPARE, STATE, TRAIN
from convoy.locking import only_one
from convoy.pipeline.server import die_with_parent
from convoy.provenance import read_yaml

Say = Callable[[str], None]

BEFORE = ("ingest", "validate")
OF_A_FOLD = ("split", "prepare", "augment", "train", "evaluate")

_PROCESS = "convoy.cli.fold_process"
_LOCK = "folds.lock"
_END_SECONDS = 60.0  # for a checkpoint
_TAIL = 20  # lines of a process that ended without an error of its own


def conduct(root: Path, config: Config, *, count: int | None, seeds: Sequence[int], say: Say) -> Result:
    """Train and evaluate every fold; the results, also in MLflow.

    A command that was killed goes on with what it had finished, and an interrupted training where it was: the
    same data, parameters, code, folds and seeds are the same command.

    Args:
        count: number of folds; None: split.folds.
        seeds: of repetitions, for the split and the training; none: those of params.yaml, once.
        say: receives progress, line by line.

    Raises:
        ConvoyError: of a stage; what was finished stays.
        ResourceError: another `convoy folds` runs in this project.
        SystemExit: a signal came.
    """
    with only_one(state_dir(root) / "locks" / _LOCK) as mine:
        if not mine:
            raise ResourceError(
                "another `convoy folds` runs in this project", where=str(root), fix="wait for it, or end it"
            )
        return _conducted(root, config, count, seeds, say)


def _conducted(root: Path, config: Config, count: int | None, seeds: Sequence[int], say: Say) -> Result:
    plan.lay_out(root, plan.base(root), read_yaml(root / PARAMS))
    _run(plan.base(root), BEFORE, "data", say)
    made = plan.plan(root, config, count, seeds)
    made.folder.mkdir(parents=True, exist_ok=True)
    plan.prune(root, made.key)
    books = mirror.Mirror(made, say)
    try:
        for fold in made.folds:
            if (fold.folder / DONE).is_file():
                say(f"{fold.name} of {made.count}: finished before")
            else:
                _train(made, fold, say)
            books.fold(fold)
        found = results.collect(made)
        results.write(made, found)
        books.end(found)
    except BaseException as error:
        books.failed("KILLED" if isinstance(error, SystemExit | KeyboardInterrupt) else "FAILED")
        raise
    return found


def _train(made: Plan, fold: Fold, say: Say) -> None:
    begun = time.monotonic()
    made.lay(fold)
    _run(fold.folder, OF_A_FOLD, f"{fold.name} of {made.count}", say)
    training = read_json(fold.folder / TRAIN / "training.json")
    write_json(
        fold.folder / DONE,
        {
            "seed": fold.seed,
            "fold": fold.number,
            "key": training["key"],
            "seconds": round(time.monotonic() - begun, 1),
            "metrics": read_json(fold.folder / EVALUATE / "metrics.json"),
        },
    )
    for large in (PREPARE / "train", PREPARE / "val", PREPARE / "test", AUGMENT, STATE / "checkpoints"):
        shutil.rmtree(fold.folder / large, ignore_errors=True)


def _run(folder: Path, stages: Sequence[str], name: str, say: Say) -> None:
    """Raises:
    ConvoyError: of a stage.
    SystemExit: a signal came; the process has ended.
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", _PROCESS, str(folder), *stages],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, encoding="utf-8", errors="replace", env=_variables(),
        preexec_fn=die_with_parent(),
    )  # fmt: skip
    assert process.stdout is not None
    last: list[str] = []
    try:
        for line in process.stdout:
            last = [*last[-_TAIL:], line.rstrip("\n")]
            say(f"{name}: {line.rstrip()}")
        code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if code:
        raise _failure(folder, name, code, last)


def _variables() -> dict[str, str]:
    """The package that runs here runs there, wherever the folder is."""
    import convoy

    own = str(Path(convoy.__file__).parents[1])
    path = [own, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))}


def _failure(folder: Path, name: str, code: int, last: Sequence[str]) -> ConvoyError:
    kinds: dict[int, type[ConvoyError]] = {
        kind.exit_code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ConvoyError)
    }
    again = "then the same command goes on with what is finished"
    if (folder / FAILURE).is_file():
        told: dict[str, Any] = read_json(folder / FAILURE)
        fix = f"{told['fix']}; {again}" if told["fix"] else again
        return kinds.get(code, ConvoyError)(f"{name}: {told['what']}", where=told["where"], fix=fix)
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    said = "\n    ".join(last)
    return ResourceError(f"{name} ended with {how}\n    {said}", where=str(folder), fix=f"mend it; {again}")
