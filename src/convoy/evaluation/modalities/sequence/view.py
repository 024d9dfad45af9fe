"""Sequences in the report on a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data.loader import batch_key
from convoy.data.modalities.sequence.augmenting import Policy
from convoy.data.modalities.sequence.batching import VALUES, padded
from convoy.data.store import Store
from convoy.evaluation import pictures, predictions, robustness
from convoy.evaluation.baseline import Codes
from convoy.evaluation.modalities.sequence import baselines, lines
from convoy.evaluation.pictures import Shown
from convoy.training.network import Network

NOUNS = "sequences"
EXPLAINED = "Marked: the stretches without which the wrong answer loses most, the stronger the more."
BASELINES = baselines.BASELINES
_PIECES = 48  # of a sequence, that are hidden in turn
_LEAST = 1e-5  # of fp32
# name of the damage -> transform, its argument, its values by strength, in words
_DAMAGES: dict[str, tuple[str, str, tuple[float, float, float], str]] = {
    "noise": ("jitter", "sigma", (0.1, 0.2, 0.4), "noise of {:g} deviations"),
    "missing": ("masking", "share", (0.1, 0.2, 0.4), "{:.0%} of the steps are 0, in one piece"),
    "shifted": ("shift", "share", (0.05, 0.1, 0.2), "moved by up to {:.0%} of the length"),
    "warped": ("time_warp", "sigma", (0.1, 0.2, 0.4), "time faster or slower by {:.0%}"),
    "scaled": ("scaling", "sigma", (0.1, 0.2, 0.4), "channels larger or smaller by {:.0%}"),
}


@dataclass(frozen=True)
class Sequences:
    """Values of N sequences. A slice is a padded batch (n, L, C) float32; positions are other `Sequences`."""

    values: NDArray[Any]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, rows: Any) -> Any:
        chosen = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        values, bounds = ragged.take(self.values, self.bounds, chosen)
        if not isinstance(rows, slice):
            return Sequences(values, bounds)
        return padded({VALUES: values, ragged.offsets_of(VALUES): bounds})

    def changed(self, policy: Policy, seed: int) -> "Sequences":
        name = ragged.offsets_of(VALUES)
        found = policy({VALUES: self.values, name: self.bounds}, seed)
        return Sequences(found[VALUES], found[name])

    def each(self) -> list[NDArray[Any]]:
        """(length, C) of every sequence."""
        return np.split(self.values, self.bounds[1:-1])


def samples(store: Store, preprocessor: Mapping[str, Any]) -> Sequences:
    return Sequences(*store.field(VALUES))


def measures(store: Store) -> dict[str, NDArray[Any]]:
    """Columns of the predictions table."""
    return measured(samples(store, {})[:])


def measured(batch: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """steps (N,) of a padded batch (N, L, C)."""
    return {"steps": (~np.isnan(batch[:, :, 0])).sum(axis=1).astype(np.float64)}


def changed(policy: Policy, sequences: Sequences, rows: slice, seed: int) -> Sequences:
    """Some of the samples, augmented."""
    some: Sequences = sequences[np.arange(len(sequences))[rows]]
    return some.changed(policy, seed)


def damaged(
    sequences: Sequences, target: Codes, answer: Callable[[Sequences], Codes], *, confidence: float, seed: int
) -> pd.DataFrame:
    """Accuracy with noise, missing pieces, moved, warped and scaled sequences, at three strengths."""
    rows: list[tuple[str, int, str, int, int]] = []
    if len(sequences):
        for kind, (name, key, amounts, words) in _DAMAGES.items():
            for strength, amount in enumerate(amounts, 1):
                policy = Policy([{"name": name, key: amount, "p": 1.0}])
                answers = answer(sequences.changed(policy, batch_key(seed, 0, len(rows))))
                right = int((answers == target).sum())
                rows.append((kind, strength, words.format(amount), len(sequences), right))
    return robustness.tabled(rows, confidence)


def shown(store: Store, rows: NDArray[np.int64]) -> Sequence[Shown]:
    """What reports show of the samples at `rows`."""
    return [lines.figure(values) for values in samples(store, {})[rows].each()]


def explained(
    network: Network,
    store: Store,
    rows: NDArray[np.int64],
    classes: Codes,
    preprocessor: Mapping[str, Any],
) -> list[tuple[Shown, Shown | None]]:
    """The sequences; the stretches without which the class loses most (in log-odds) are marked."""
    found: list[tuple[Shown, Shown | None]] = []
    for values, label in zip(samples(store, {})[rows].each(), classes.tolist(), strict=True):
        edges = np.linspace(0, len(values), min(_PIECES, len(values)) + 1).round().astype(np.int64)
        hidden = np.repeat(values[None], len(edges), axis=0)  # the last row is the sequence itself
        for piece in range(len(edges) - 1):
            hidden[piece, edges[piece] : edges[piece + 1]] = values.mean(axis=0)
        odds = _log_odds(predictions.logits(network, hidden), label)
        lost = np.maximum(odds[-1] - odds[:-1], 0)
        most = float(lost.max(initial=0))
        shares = lost / most if most > _LEAST else np.zeros_like(lost)
        found.append((lines.figure(values, np.repeat(shares, np.diff(edges))), None))
    return found


def draw_mistakes(
    wrong: pd.DataFrame, store: Store, rows: NDArray[np.int64], classes: Sequence[str], path: Path
) -> None:
    """mistakes.png: the samples at `rows`, which are those of `wrong`."""
    drawn = lines.pictures(samples(store, {})[rows].each() if len(rows) else [])
    pictures.mistakes(wrong, drawn, classes, path)


def _log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    others = np.logaddexp.reduce(np.delete(values, label, axis=1), axis=1)
    odds: NDArray[np.float64] = values[:, label] - others
    return odds
