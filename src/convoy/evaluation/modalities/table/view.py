"""Tables in the report on a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.loader import batch_key
from convoy.data.modalities.table import batching
from convoy.data.modalities.table.augmenting import Policy
from convoy.data.modalities.table.cells import Cells, Transformer
from convoy.data.modalities.table.looking import records
from convoy.data.store import Store
from convoy.evaluation import pictures, predictions, robustness
from convoy.evaluation.baseline import Codes, Linear
from convoy.evaluation.modalities.table.baselines import GradientBoosting, Logistic
from convoy.evaluation.modalities.table.rendering import line, marked
from convoy.evaluation.pictures import Shown, excerpt
from convoy.training.network import Network

NOUNS = "rows"
EXPLAINED = (
    "Marked: what spoke most for the wrong answer, which loses most with another row's value in its place."
)
BASELINES: Mapping[str, Linear] = {"gradient_boosting": GradientBoosting(), "logistic": Logistic()}

_OTHERS = 24  # rows whose values are tried in place of a row's own
_FEW = 12  # values of a column that is a slice
_PERMUTED = 12  # columns whose importance is shown
_SHARES = (0.1, 0.2, 0.4)  # of the cells, by strength
_ROWS = (0.25, 0.5, 1.0)  # of the rows, by strength
_DAMAGES = {
    "missing values": ("missing", "rate", "{:.0%} of the cells missing"),
    "noise": ("noise", "std", "noise of {:.0%} of each number's deviation"),
    "unknown categories": ("unknown", "rate", "{:.0%} of the categories unknown"),
}


@dataclass(frozen=True)
class Rows:
    """Cells of N rows. A slice is what the network takes (n, features); positions are other `Rows`.

    Attributes:
        columns: name of each, and which of the cells are its own.
    """

    cells: Cells
    transform: Transformer
    columns: Mapping[str, list[int]]

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return self.transform(self.cells[rows])
        return replace(self, cells=self.cells[rows])

    def changed(self, policy: Policy, seed: int) -> "Rows":
        return replace(self, cells=policy.cells(self.cells, self.transform.width, seed))

    def permuted(self, column: str, share: float, seed: int) -> "Rows":
        """A share of the rows exchange their values of a column."""
        random = np.random.Generator(np.random.Philox(key=(seed, 0)))
        chosen = np.flatnonzero(random.random(len(self)) < share)
        changed = self.cells.copy()
        mine = np.array(self.columns[column], np.int64)
        changed[np.ix_(chosen, mine)] = self.cells[np.ix_(random.permutation(chosen), mine)]
        return replace(self, cells=changed)


def samples(store: Store, preprocessor: Mapping[str, Any]) -> Rows:
    spec = preprocessor["spec"]
    numbers, codes = batching.matrices(store)
    cells = np.concatenate([numbers, codes], axis=1, dtype=np.float64)
    return Rows(cells, Transformer(spec), places(spec))


def places(spec: Mapping[str, Any]) -> dict[str, list[int]]:
    """Column -> its cells."""
    found: dict[str, list[int]] = {}
    number, code = 0, len(spec["numbers"])
    for column in spec["columns"]:
        if column["kind"] == "category":
            found[column["name"]] = [code]
            code += 1
        else:
            count = len(spec["dates"]) if column["kind"] == "date" else 1
            found[column["name"]] = list(range(number, number + count))
            number += count
    return found


def measures(store: Store) -> dict[str, NDArray[Any]]:
    """Columns of the predictions table: those of the rows that take few values."""
    rows = records(store, np.arange(len(store)))
    found: dict[str, NDArray[Any]] = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        if len(set(values)) <= _FEW:
            found[f"column {name}"] = np.array(values, dtype=object)
    return found


def measured(batch: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Nothing: of features alone, the columns are not known any more."""
    return {}


def changed(policy: Policy, rows: Rows, chosen: slice, seed: int) -> Rows:
    """Some of the samples, augmented."""
    some: Rows = rows[np.arange(len(rows))[chosen]]
    return some.changed(policy, seed)


def damaged(
    rows: Rows, target: Codes, answer: Callable[[Rows], Codes], *, confidence: float, seed: int
) -> pd.DataFrame:
    """Accuracy where cells are missing, noisy or unknown, and where a column's values change places.

    The latter is the importance of a column (Breiman 2001): what is lost without what it says.
    """
    found: list[tuple[str, int, str, int, int]] = []
    if not len(rows):
        return robustness.tabled(found, confidence)

    def tried(kind: str, strength: int, words: str, some: Rows) -> None:
        found.append((kind, strength, words, len(rows), int((answer(some) == target).sum())))

    for kind, (name, key, words) in _DAMAGES.items():
        for strength, share in enumerate(_SHARES, 1):
            policy = Policy([{"name": name, key: share, "p": 1.0}])
            some = rows.changed(policy, batch_key(seed, 0, len(found)))
            tried(kind, strength, words.format(share), some)
    for column in _important(rows, target, answer, seed):
        for strength, share in enumerate(_ROWS, 1):
            some = rows.permuted(column, share, batch_key(seed, 1, strength))
            tried(f"{column} exchanged", strength, f"among {share:.0%} of the rows", some)
    return robustness.tabled(found, confidence)


def _important(rows: Rows, target: Codes, answer: Callable[[Rows], Codes], seed: int) -> list[str]:
    """The columns that most is lost without, at most _PERMUTED."""
    key = batch_key(seed, 1, len(_ROWS))
    right = {name: int((answer(rows.permuted(name, 1.0, key)) == target).sum()) for name in rows.columns}
    return sorted(right, key=lambda name: (right[name], name))[:_PERMUTED]


def shown(store: Store, rows: NDArray[np.int64]) -> Sequence[Shown]:
    """What reports show of the samples at `rows`."""
    return [excerpt(line(record)) for record in records(store, rows)]


def explained(
    network: Network,
    store: Store,
    rows: NDArray[np.int64],
    classes: Codes,
    preprocessor: Mapping[str, Any],
) -> list[tuple[Shown, Shown | None]]:
    """The rows; columns are marked by what the class loses (in log-odds, on average) with others' values."""
    everything = samples(store, preprocessor)
    names = list(everything.columns)
    others = everything.cells[np.linspace(0, len(store) - 1, min(_OTHERS, len(store))).astype(np.int64)]
    found: list[tuple[Shown, Shown | None]] = []
    for record, row, label in zip(records(store, rows), rows.tolist(), classes.tolist(), strict=True):
        own = everything.cells[row]
        tried = np.tile(own, (len(names), len(others), 1))
        for number, name in enumerate(names):
            mine = everything.columns[name]
            tried[number][:, mine] = others[:, mine]
        flat = np.concatenate([own[None], tried.reshape(-1, len(own))])
        odds = _log_odds(predictions.logits(network, replace(everything, cells=flat)), label)
        losses = odds[0] - odds[1:].reshape(len(names), len(others)).mean(axis=1)
        found.append((marked(record, names, np.maximum(losses, 0)), None))
    return found


def draw_mistakes(
    wrong: pd.DataFrame, store: Store, rows: NDArray[np.int64], classes: Sequence[str], path: Path
) -> None:
    """mistakes.png: the samples at `rows`, which are those of `wrong`."""
    pictures.mistaken_texts(wrong, [line(record) for record in records(store, rows)], classes, path)


def _log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    others = np.logaddexp.reduce(np.delete(values, label, axis=1), axis=1)
    odds: NDArray[np.float64] = values[:, label] - others
    return odds
