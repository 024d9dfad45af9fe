"""What the strategies share: units that are never divided, their positions, and the sides that they get.

A unit is a sample, or samples that belong together. Its position is a number in [0, 1) that depends on the
seed and its key alone (SHA-256), so a unit that stays keeps its place whatever comes or goes.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.manifest import SPLITS
from convoy.errors import ConfigError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
TRAIN, VAL, TEST = range(len(SPLITS))  # codes of the sides
MOST_NAMED = 20


@dataclass(frozen=True)
class How:
    """The section `split` of the parameters, and the classes in their order (none: one stratum)."""

    val: float
    test: float
    seed: int
    classes: Sequence[str]
    folds: int = 5
    fold: int = 0
    labels: NDArray[np.bool_] | None = None  # (N, K), where samples have several


@dataclass(frozen=True)
class Move:
    """A unit that went to another side than its position says, because a class was missing there."""

    unit: int
    before: int
    after: int


@dataclass(frozen=True)
class Division:
    """Which side each row of the table goes to.

    Attributes:
        sides: (N,) codes.
        units: what was kept together.
        carved: the sides that were chosen here, not given by the data.
        moves: exceptions to the rule, by unit.
    """

    sides: Codes
    units: "Units"
    carved: Sequence[str] = ("val", "test")
    moves: list[Move] = field(default_factory=list)


class Units:
    """Which rows go together.

    Attributes:
        of: (N,) number of each row's unit.
        keys: (U,) what a unit's position depends on: the least name of its groups; without any the least id
            of its samples.
    """

    def __init__(self, samples: pd.DataFrame, *, groups: bool) -> None:
        """Samples of one id, one name of twins and (where `groups`) one group are one unit."""
        ids: list[str] = samples["id"].tolist()
        named = _column(samples, "group") if groups else [None] * len(ids)
        self.of = _connected([ids, _column(samples, "twins"), named])
        best: dict[int, tuple[bool, str]] = {}
        for unit, group, identity in zip(self.of.tolist(), named, ids, strict=True):
            key = (group is None, identity if group is None else group)
            best[unit] = min(best.get(unit, key), key)
        self.keys = [best[unit][1] for unit in range(len(best))]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def joined(self) -> int:
        """Number of units of more than one sample."""
        return int((np.bincount(self.of, minlength=len(self)) > 1).sum())

    def positions(self, seed: int, purpose: str = "") -> Floats:
        """(U,) in [0, 1); another purpose gives independent positions."""
        return np.array([_position(f"{purpose}{seed}:{key}") for key in self.keys], np.float64)


def thresholds(positions: Floats, val: float, test: float) -> Codes:
    """Below `val`: val; from there to `val + test`: test; else train. (U,)."""
    return np.select([positions < val, positions < val + test], [VAL, TEST], TRAIN).astype(np.int64)


def distances(positions: Floats, val: float, test: float) -> Callable[[int], Floats]:
    """How far (U,) each position is from those of a side, under the same thresholds."""
    bounds = {VAL: (0.0, val), TEST: (val, val + test), TRAIN: (val + test, 1.0)}

    def distance(side: int) -> Floats:
        low, high = bounds[side]
        return np.maximum(0.0, np.maximum(low - positions, positions - high))

    return distance


def has(samples: pd.DataFrame, column: str) -> bool:
    """Whether any sample has a value there."""
    return column in samples.columns and bool(samples[column].notna().any())


def wanting(strategy: str, column: str, option: str) -> ConfigError:
    """The error for data that lack what a strategy divides by."""
    return ConfigError(
        f"split.strategy is {strategy!r}, but the data name no {column}",
        where="params.yaml: split.strategy",
        fix=f"name the column in {option}, or use another strategy",
    )


def named(values: Iterable[str], most: int = MOST_NAMED) -> str:
    """The first values, and how many there are besides."""
    found = list(values)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _position(key: str) -> float:
    digest = hashlib.sha256(key.encode("utf-8")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)  # 53 bits: never rounded up to 1


def _column(samples: pd.DataFrame, name: str) -> list[str | None]:
    if name not in samples.columns:
        return [None] * len(samples)
    column = samples[name].astype(object)
    values: list[str | None] = column.where(column.notna(), None).tolist()
    return values


def _connected(columns: Sequence[Sequence[str | None]]) -> Codes:
    """(N,) numbers of the parts that rows form if equal values of any column connect them (union-find)."""
    length = len(columns[0])
    parent = list(range(length))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for column in columns:
        first: dict[str, int] = {}
        for row, value in enumerate(column):
            if value is None:
                continue
            other = first.setdefault(value, row)
            if other != row:
                low, high = sorted((root(other), root(row)))
                parent[high] = low
    roots = [root(row) for row in range(length)]
    return np.unique(np.array(roots, np.int64), return_inverse=True)[1].reshape(-1).astype(np.int64)
