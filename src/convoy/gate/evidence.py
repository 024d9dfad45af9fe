"""What the gate's rules look at, gathered from bundles, raw data and dvc.lock."""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convoy.bundle import contents
from convoy.gate import budgets, scoring
from convoy.gate.rules import Doubt, Evidence
from convoy.layout import SPLIT

if TYPE_CHECKING:
    from convoy.config.schema import Config

_TIMED_PICTURES = 20


def gather(
    root: Path, config: "Config", bundle: Path, champion: tuple[str, Path] | None, tree: Doubt, data: Doubt
) -> Evidence:
    """Score and measure the bundle and the champion's on the project's current test data.

    Where the data are in doubt nothing is scored: figures from other data would say nothing.

    Args:
        champion: its version and its bundle.

    Raises:
        DataError: the test data are missing.
        IntegrityError: a test picture is not what it was.
    """
    info = contents.info(bundle)
    number, other = champion if champion is not None else (None, None)
    strange = [*not_finite(info["metrics"], "metrics"), *_weights(bundle)]
    scores, speed, comparison = None, None, None
    if not data.reason:
        tests = scoring.current_tests(root / SPLIT, config.data, root)
        scores = scoring.score(tests, bundle, other)
        wrong = int((~np.isfinite(scores.rows).all(axis=1)).sum())
        strange += [f"answers to {wrong} test samples"] if wrong else []
        gate = config.registration.gate
        if scores.rival is not None and scores.comparable().enough and scores.shared.any():
            comparison = scores.compare(gate.metric)
        if len(tests.samples) and (gate.max_latency_ms, gate.max_latency_ratio) != (None, None):
            pictures = list(islice(scoring.read(tests, tests.samples), _TIMED_PICTURES))
            speed = budgets.speed(bundle, other, pictures)
    return Evidence(
        info["metrics"], budgets.size_mb(bundle), strange, tree, data, number, scores, comparison, speed
    )


def not_finite(value: Any, where: str) -> Iterator[str]:
    """Places of NaN and infinities in nested figures, as "metrics.test.log_loss"."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from not_finite(item, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from not_finite(item, f"{where}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield where


def _weights(bundle: Path) -> Iterator[str]:
    from safetensors.numpy import load_file

    for name, values in load_file(bundle / "model.safetensors").items():
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            yield f"weights {name}"
