"""Augmentation of rows: numbers with noise, cells that are hidden or exchanged.

noise     std: deviation of normal noise, of the column's own in the batch; numbers of two values have none
swap      rate: share of the cells that take the value of another row of the batch
missing   rate: share of the cells that become missing
unknown   rate: share of the categories that become unknown

Each has `p`, the share of the rows that it changes. All work on whole batches of cells, before they become
features, and are drawn by the batch's key.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.config.augment import AugmentConfig
from convoy.config.tables import TablePrepareConfig
from convoy.data import ragged, store
from convoy.data.loader import Batch, batch_key
from convoy.data.mixing import Mixing
from convoy.data.modalities.table import batching
from convoy.data.modalities.table.batching import CODES, NUMBERS, ROW
from convoy.data.modalities.table.cells import MISSING, UNKNOWN, Cells
from convoy.data.modalities.table.looking import records
from convoy.data.store import Store
from convoy.errors import ConfigError

PREVIEW = "preview.txt"
_ROWS, _VARIANTS = 12, 4
_CHUNK = 1024
_WHERE = "params.yaml: augment.transforms"
_AMOUNT = 0.1  # where std or rate is left out
Chosen = NDArray[np.bool_]
# cells, how many of them are numbers, which rows, how much
Form = Callable[[Cells, int, Chosen, float, np.random.Generator], Cells]


class Policy:
    """A sequence of transforms of rows.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is no share.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        self._steps = [_step(number, spec) for number, spec in enumerate(transforms)]

    def __call__(self, batch: Batch, seed: int) -> Batch:
        """The batch with other cells; all else as it was."""
        cells = batching.cells(batch)
        count = len(cells)
        width = len(batch[NUMBERS]) // count if count else 0
        changed = self.cells(cells, width, seed)
        fields = batching.fields(changed, width)
        return {**batch, NUMBERS: fields[NUMBERS][0], CODES: fields[CODES][0]}

    def cells(self, cells: Cells, width: int, seed: int) -> Cells:
        """(N, numbers + categories), the first `width` of which are numbers."""
        for number, (form, p, amount) in enumerate(self._steps):
            random = np.random.Generator(np.random.Philox(key=(seed, number)))
            chosen = random.random(len(cells)) < p
            cells = form(cells, width, chosen, amount, random)
        return cells


policy = Policy


def transforms(config: AugmentConfig) -> list[dict[str, Any]]:
    return [{"name": step.name, **step.arguments()} for step in config.transforms]


def trial(config: AugmentConfig, prepared: TablePrepareConfig) -> None:  # noqa: ARG001  # the contract of all
    """Raises:
    ConfigError: the policy is refused.
    """
    Policy(transforms(config))


def preview(
    training: Store,
    policy: Policy,
    mixing: Mixing | None,  # noqa: ARG001  # the contract of all modalities
    seed: int,
    out: Path,
) -> None:
    """Write preview.txt: rows, below each its cells and variants of them."""
    rows = np.linspace(0, len(training) - 1, min(_ROWS, len(training))).astype(np.int64)
    originals = training[rows]
    shown = [originals, *(policy(originals, batch_key(seed, 0, n)) for n in range(_VARIANTS))]
    tables = [batching.cells(batch) for batch in shown]
    lines = []
    for row, record in enumerate(records(training, rows)):
        lines.append(", ".join(f"{name} {value}" for name, value in record.items()))
        lines += ["    " + " ".join(f"{value:g}" for value in table[row].tolist()) for table in tables]
    io.write_text(out / PREVIEW, "\n".join(lines) + "\n")


def copies(training: Store, policy: Policy, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    parts = [
        policy(training[np.arange(at, min(at + _CHUNK, len(training)))], batch_key(config.seed, copy + 1, at))
        for copy in range(config.offline_copies)
        for at in range(0, len(training), _CHUNK)
    ]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    def bounds(name: str) -> NDArray[np.int64]:
        return ragged.offsets(np.concatenate([np.diff(part[ragged.offsets_of(name)]) for part in parts]))

    folder.mkdir()
    fixed = {name: joined(name) for name in ("target", "id")}
    store.finish(
        folder, [], None, fixed, {name: (joined(name), bounds(name)) for name in (NUMBERS, CODES, ROW)}
    )


def _noise(cells: Cells, width: int, chosen: Chosen, std: float, random: np.random.Generator) -> Cells:
    numbers = cells[:, :width]
    known = ~np.isnan(numbers)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, numbers, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, numbers - mean, 0) ** 2).sum(axis=0) / count)
    whole = ((numbers == 0) | (numbers == 1) | ~known).all(axis=0)  # true and false
    noise = random.standard_normal(numbers.shape) * np.where(whole, 0.0, std * spread)
    changed = cells.copy()
    changed[:, :width] += np.where(chosen[:, None], noise, 0.0)
    return changed


def _swap(
    cells: Cells,
    width: int,  # noqa: ARG001  # of all forms
    chosen: Chosen,
    rate: float,
    random: np.random.Generator,
) -> Cells:
    taken = (random.random(cells.shape) < rate) & chosen[:, None]
    other = (random.random(cells.shape) * len(cells)).astype(np.int64)
    return np.where(taken, np.take_along_axis(cells, other, axis=0), cells)


def _missing(cells: Cells, width: int, chosen: Chosen, rate: float, random: np.random.Generator) -> Cells:
    taken = (random.random(cells.shape) < rate) & chosen[:, None]
    nothing = np.where(np.arange(cells.shape[1]) < width, np.nan, float(MISSING))
    return np.where(taken, nothing, cells)


def _unknown(cells: Cells, width: int, chosen: Chosen, rate: float, random: np.random.Generator) -> Cells:
    taken = (random.random(cells.shape) < rate) & chosen[:, None]
    taken[:, :width] = False
    return np.where(taken, float(UNKNOWN), cells)


_FORMS: dict[str, tuple[Form, str]] = {
    "noise": (_noise, "std"),
    "swap": (_swap, "rate"),
    "missing": (_missing, "rate"),
    "unknown": (_unknown, "rate"),
}


def _step(number: int, spec: Mapping[str, Any]) -> tuple[Form, float, float]:
    name = spec["name"]
    where = f"{_WHERE}[{number}] ({name})"
    if name not in _FORMS:
        near = difflib.get_close_matches(name, _FORMS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        choices = ", ".join(_FORMS)
        raise ConfigError(f"rows have no transform {name!r}{hint}", where=where, fix=f"choose: {choices}")
    form, key = _FORMS[name]
    for argument, value in spec.items():
        if argument == "name":
            continue
        if argument not in (key, "p"):
            raise ConfigError(f"{name} has no argument {argument!r}", where=where, fix=f"it takes {key}, p")
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise ConfigError(f"{argument} is {value!r}, no share from 0 to 1", where=where, fix="mend it")
    return form, float(spec.get("p", 1.0)), float(spec.get(key, _AMOUNT))
