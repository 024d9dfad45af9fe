"""What a model costs: milliseconds of one picture, megabytes of its network."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.serving.predictor import Predictor

ROUNDS, LEAST_ROUNDS, SECONDS = 40, 9, 6.0
_WARM_UP = 3
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Speed:
    """Milliseconds of one picture, its decoding included, on one thread: quartiles over the rounds.

    The sides take turns, so a busy machine slows both. Other work only ever adds time: the lower quartile
    is nearest to the model's own cost, and only it can break a budget.

    Attributes:
        ratio: of challenger to champion within a round; None without a champion.
    """

    challenger: list[float]
    champion: list[float] | None
    ratio: list[float] | None
    rounds: int


def speed(
    challenger: Path,
    champion: Path | None,
    pictures: Sequence[bytes | NDArray[Any]],
    *,
    seconds: float = SECONDS,
) -> Speed:
    """Time one picture after the other, each with every model.

    Args:
        pictures: at least one; the rounds go through them again and again.
        seconds: after which no further round begins, LEAST_ROUNDS apart.
    """
    models = [Predictor(bundle) for bundle in (challenger, champion) if bundle is not None]
    taken: list[list[float]] = []
    started = time.perf_counter()
    for turn in range(ROUNDS + _WARM_UP):
        if turn >= LEAST_ROUNDS + _WARM_UP and time.perf_counter() - started > seconds:
            break
        picture = pictures[turn % len(pictures)]
        order = range(len(models)) if turn % 2 else reversed(range(len(models)))
        row = dict(sorted((side, _milliseconds(models[side], picture)) for side in order))
        if turn >= _WARM_UP:
            taken.append(list(row.values()))
    table = np.array(taken)
    rival = table[:, 1] if len(models) > 1 else None
    return Speed(
        _quartiles(table[:, 0]),
        _quartiles(rival) if rival is not None else None,
        _quartiles(table[:, 0] / rival) if rival is not None else None,
        len(table),
    )


def size_mb(bundle: Path) -> float:
    """Of model.onnx, in 10^6 bytes."""
    return (bundle / "model.onnx").stat().st_size / 1e6


def _milliseconds(model: Predictor, picture: bytes | NDArray[Any]) -> float:
    start = time.perf_counter()
    model.decode(model.batch([model.prepare(picture)]))
    return (time.perf_counter() - start) * 1000


def _quartiles(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(values, _QUARTILES)]
