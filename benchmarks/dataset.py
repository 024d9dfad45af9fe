"""(b) Our training epoch over plain Lightning with a Dataset that serves one augmented image at a time.

Same model, optimiser, schedule, batch size and augmentation policy; ours applies the policy to whole batches
in a thread beside the network. The `default` row leaves Lightning's precision as it comes (fp32): what one
gets unasked.
"""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import digits
from benchmarks.epoch import best_precision, conditions, task
from benchmarks.measure import Report, in_turns, ratio, spread, under, verdict
from benchmarks.ours import Timed, turn, whole
from benchmarks.peers import plain_lightning
from benchmarks.prepared import Prepared
from convoy.config.model import LeNet5Config, MnistCnnConfig, ModelConfig
from convoy.data.augment import Policy

TARGET = 0.8
MODELS: tuple[ModelConfig, ...] = (LeNet5Config(name="lenet5"), MnistCnnConfig(name="mnist_cnn"))
_EPOCHS = 2


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    rows: list[list[str]] = []
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        progress("preparing the digits")
        data = digits.make(Path(folder))
        for model in MODELS:
            more, found[model.name] = _model(data, model, rounds, progress)
            rows += more
    return Report(
        title=f"(b) seconds of an epoch with augmentation, {len(data.train)} images",
        columns=[
            "model",
            "plain Lightning",
            "its s / epoch",
            "ours s / epoch",
            "ratio",
            f"target ≤ {TARGET}",
        ],
        rows=rows,
        notes=[
            f"Augmentation on both sides: {', '.join(step['name'] for step in data.transforms)}.",
            conditions(data.config.train.batch_size, rounds),
            "Plain Lightning with its default checkpoint, without logger and bar (in its favour).",
        ],
        data={"models": found, "target": TARGET},
    )


def _model(
    data: Prepared, model: ModelConfig, rounds: int, progress: Callable[[str], None]
) -> tuple[list[list[str]], dict[str, Any]]:
    """Rows of one model, and their numbers."""
    best = best_precision()
    fast, default = task(data, model, best, _EPOCHS), task(data, model, "fp32", _EPOCHS)
    policy = Policy(data.transforms)
    peers = {f"{best}, 0 workers": (fast, 0), f"{best}, 2 workers": (fast, 2)}
    if best != "fp32":
        peers["fp32 (its default), 0 workers"] = (default, 0)
    kept: dict[str, list[Timed]] = {name: [] for name in ("ours", *peers)}
    sides = {"ours": turn(lambda: whole(fast, policy), kept["ours"])}
    for name, (job, workers) in peers.items():
        sides[name] = turn(partial(plain_lightning, job, workers), kept[name])
    seconds = in_turns(sides, rounds, under(model.name, progress))
    steps = {timed.steps for runs in kept.values() for timed in runs}
    assert len(steps) == 1, f"the sides took different numbers of steps: {steps}"
    ratios = {name: ratio(seconds["ours"], seconds[name]) for name in peers}
    accuracy = {
        name: median(timed.history[-1]["val_accuracy"] for timed in runs) for name, runs in kept.items()
    }
    rows = [
        [
            model.name,
            name,
            spread(seconds[name]),
            spread(seconds["ours"]),
            f"{value:.2f}",
            verdict(value, TARGET),
        ]
        for name, value in ratios.items()
    ]
    return rows, {"seconds": seconds, "ratios": ratios, "val_accuracy": accuracy, "precision": best}
