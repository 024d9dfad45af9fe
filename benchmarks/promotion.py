"""(e) Two promoters race for the champion's place; the better model must win every round.

Two processes with clients of their own ask at the same moment to promote two versions of different quality,
both better than the present champion; in the first race of each model there is none. Locks, MLflow on
SQLite, gate, ledger and aliases are the real ones. Only the models' answers are made up: a version of quality
q is right on the first share q of 1,000 samples. The same race without the lock shows what it prevents.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Report
from convoy.bundle import contents
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.environment import default_tracking_uri
from convoy.errors import ConvoyError, GateRefused
from convoy.gate import evidence, paired
from convoy.gate.objectives.classification import Scores
from convoy.gate.rules import Doubt, Evidence
from convoy.registry import aliases, client, ledger, promotion

RACES_A_ROUND = 200  # 5 rounds: 1,000 races
CONTROL = 40  # races without the lock
_PER_MODEL = 10  # races; every one starts from the last one's winner
_SAMPLES = 1000
_SEED = 0
_PARAMS = Path(__file__).resolve().parent.parent / "recipes" / "digits.yaml"
_GATE = """
  gate: {metric: accuracy, first: promote, minimum: 0.1, margin: 0.0, non_inferiority: 0.0,
         beat_baseline: false, max_ece: null, slice_margin: null, slice_samples: 20,
         max_latency_ms: null, max_latency_ratio: null, max_size_mb: null}
"""


@dataclass
class Tally:
    """What became of the races: names of those that ended wrong, seconds each, and who came first."""

    races: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    better_first: int = 0


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        locked = race(Path(folder) / "locked", rounds * RACES_A_ROUND, progress)
        free = race(Path(folder) / "free", CONTROL, progress, locked=False)
    rows = [
        [name, str(tally.races), str(tally.races - len(tally.wrong)), str(len(tally.wrong)),
         f"{tally.better_first} / {tally.races - tally.better_first}", f"{median(tally.seconds):.3f}"]
        for name, tally in (("with the lock", locked), ("without it", free))
    ]  # fmt: skip
    return Report(
        title="(e) two promoters race; target: the better model wins all",
        columns=["", "races", "right", "wrong", "better / worse one was first", "s a race (median)"],
        rows=rows,
        notes=[
            "Right: the better version is champion, `previous` the champion before it, the ledger's chain is "
            "whole and agrees with the aliases.",
            *(f"wrong: {text}" for text in locked.wrong[:5]),
            f"verdict: {'met' if not locked.wrong else 'MISSED'}",
        ],
        data={
            "races": locked.races, "wrong": len(locked.wrong), "better_first": locked.better_first,
            "seconds": median(locked.seconds),
            "without_lock": {"races": free.races, "wrong": len(free.wrong)},
        },
    )  # fmt: skip


def race(
    root: Path, races: int, progress: Callable[[str], None] = lambda _: None, *, locked: bool = True
) -> Tally:
    """Hold that many races in a new registry below `root`."""
    _lay_out(root)
    tally = Tally()
    rng = np.random.default_rng(_SEED)
    with _environment(root), _promoters(root, locked) as promoters:
        own = client.connect(root)
        for number in range(races):
            name, turn = f"race-{number // _PER_MODEL:03d}", number % _PER_MODEL
            if turn == 0:
                own.create_registered_model(name)
            before = aliases.current(own, name).get("champion")
            qualities = [0.5 + 0.02 * (2 * turn + step) for step in (1, 2)]
            worse, better = (_version(own, root, name, quality) for quality in qualities)
            order = [(promoters[n], v) for n, v in zip(rng.permutation(2), (worse, better), strict=True)]
            start = time.perf_counter()
            for promoter, version in order:
                promoter.send((name, version))
            said = [promoter.recv() for promoter, _ in order]
            tally.seconds.append(time.perf_counter() - start)
            tally.races += 1
            wrong = _wrong(own, name, before, worse, better, said)
            if wrong:
                tally.wrong.append(f"{name}, race {turn}: {wrong}")
                _repair(own, name, better)
            tally.better_first += said[0] == "refused"
            if number % 25 == 24:
                progress(f"{number + 1}/{races} races{'' if locked else ' without the lock'}")
        for promoter in promoters:
            promoter.send(None)
    return tally


def _wrong(own: Any, name: str, before: str | None, worse: str, better: str, said: list[str]) -> str:
    """What a race left that should not be; empty where all is right."""
    now = aliases.current(own, name)
    unexpected = [each for each in said if each not in ("champion", "refused")]
    if unexpected:
        return "; ".join(unexpected)
    if now.get("champion") != better:
        return f"champion is {now.get('champion')}, the better one is {better}"
    previous = before if said[0] == "refused" else worse
    if now.get("previous") != previous:
        return f"previous is {now.get('previous')}, it should be {previous}"
    return "; ".join(ledger.problems(own, name))


def _repair(own: Any, name: str, better: str) -> None:
    """What a race without the lock left half done must not decide the next one."""
    own.set_registered_model_alias(name, "champion", better)
    texts = [tag for tag in own.get_registered_model(name).tags if tag.startswith("convoy.ledger.")]
    for tag in texts:
        own.delete_registered_model_tag(name, tag)


def _promoter(orders: Connection, root: Path, locked: bool) -> None:
    """A process that promotes what it is told to, until it is told None."""
    evidence.gather = _gather
    if not locked:
        promotion.lock = lambda *_: nullcontext()  # type: ignore[assignment, attr-defined]
    config = load(root / "params.yaml")
    own = client.connect(root)
    orders.send("ready")
    while (order := orders.recv()) is not None:
        try:
            promotion.promote(root, own, config, *order)
            orders.send("champion")
        except GateRefused:
            orders.send("refused")
        except (ConvoyError, Exception) as error:  # noqa: BLE001  # the race must go on, and tell
            orders.send(f"{type(error).__name__}: {str(error)[:200]}")


@contextmanager
def _promoters(root: Path, locked: bool) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for _ in range(2):
        here, there = context.Pipe()
        process = context.Process(target=_promoter, args=(there, root, locked), daemon=True)
        process.start()
        ends.append(here)
        processes.append(process)
    try:
        for end in ends:
            if not end.poll(120):
                raise RuntimeError("a promoter did not start")
            end.recv()
        yield ends
        for process in processes:
            process.join(30)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _gather(
    root: Path, config: Config, bundle: Path, champion: tuple[str, Path] | None, tree: Doubt, data: Doubt
) -> Evidence:
    """In place of `evidence.gather`: the answers follow from the quality that a bundle names."""
    del root, tree, data
    quality = _quality(bundle)
    other = None if champion is None else _quality(champion[1])
    scores = _scores(quality, other)
    comparison = None if other is None else _compared(config.registration.gate.metric, quality, other)
    return Evidence(
        {"test": {"accuracy": quality}}, 0.1, champion=champion and champion[0], scores=scores,
        comparison=comparison,
    )  # fmt: skip


@cache
def _compared(metric: str, quality: float, other: float) -> dict[str, Any]:
    return paired.compare(metric, _scores(quality, other).answers())


@cache
def _scores(quality: float, other: float | None) -> Scores:
    target = np.arange(_SAMPLES) % 2
    names = np.array(["a", "b"])
    answer, rival = (
        np.where(np.arange(_SAMPLES) < round((share or 0.0) * _SAMPLES), target, 1 - target)
        for share in (quality, other)
    )
    return Scores(
        pd.DataFrame({"id": [f"{n:032x}" for n in range(_SAMPLES)], "target": names[target]}),
        names.tolist(),
        np.where(np.arange(2) == answer[:, None], 0.9, 0.1),
        None if other is None else names.tolist(),
        None if other is None else names[rival],
        np.ones(_SAMPLES, bool),
        {"challenger": 0, "champion": 0},
    )


def _quality(bundle: Path) -> float:
    return float((bundle / "quality.txt").read_text(encoding="utf-8"))


def _version(own: Any, root: Path, name: str, quality: float) -> str:
    """A version that is a folder with one number in it."""
    model = root / "models" / f"{quality:.4f}"
    bundle = model / "artifacts" / "bundle"
    if not bundle.is_dir():
        bundle.mkdir(parents=True)
        (bundle / "quality.txt").write_text(repr(quality), encoding="utf-8")
    tags = {"convoy.bundle": contents.digest(bundle), "convoy.dirty": "false"}
    return str(own.create_model_version(name, source=model.as_uri(), tags=tags).version)


def _lay_out(root: Path) -> None:
    """A project as far as promotion looks at one."""
    root.mkdir(parents=True)
    text = _PARAMS.read_text(encoding="utf-8")
    head, gate, tail = text.partition("\n  gate:\n")
    assert gate
    (root / "params.yaml").write_text(head + _GATE + tail[tail.index("\ntracking:") :], encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")


@contextmanager
def _environment(root: Path) -> Iterator[None]:
    """The registry of this project, in this process and in those that it starts."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = default_tracking_uri(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before
