"""Augmentation of rows: numbers with noise, cells that are hidden or exchanged.

noise     std: deviation of normal noise, of the column's own in the batch; numbers of two values have none
swap      rate: share of the cells that take the value of another row of the batch
missing   rate: share of the cells that become missing
unknown   rate: share of the categories that become unknown

Each has `p`, the share of the rows that it changes. All work on whole batches of cells, before they become
features, and are drawn by the batch's key.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convoy import io
from convoy.config.augment import AugmentConfig
from convoy.config.tables import TablePrepareConfig
from convoy.data.loader import Batch, batch_key
from convoy.data.mixing import Mixing
from convoy.data.modalities import _augmenting
from convoy.data.modalities._augmenting import Bound, Chosen, Given, Random
from convoy.data.modalities.table import batching
from convoy.data.modalities.table.batching import CODES, NUMBERS
from convoy.data.modalities.table.cells import MISSING, UNKNOWN, Cells
from convoy.data.modalities.table.looking import records
from convoy.data.store import Store

PREVIEW = "preview.txt"
_ROWS, _VARIANTS = 12, 4
# cells, how many of them are numbers, which rows, its arguments
Form = Callable[[Cells, int, Chosen, Given, Random], Cells]


class Policy:
    """A sequence of transforms of rows.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is out of its bounds.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        self._steps = _augmenting.steps("rows", _FORMS, transforms)

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
        for step, chosen, random in _augmenting.drawn(self._steps, len(cells), seed):
            cells = step.form(cells, width, chosen, step.given, random)
        return cells


policy = Policy
transforms = _augmenting.transforms
copies = _augmenting.copies


def trial(config: AugmentConfig, prepared: TablePrepareConfig) -> None:
    """Raises:
    ConfigError: the policy is refused.
    """
    Policy(transforms(config))


def preview(
    training: Store,
    policy: Policy,
    mixing: Mixing | None,
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


def _noise(cells: Cells, width: int, chosen: Chosen, given: Given, random: Random) -> Cells:
    numbers = cells[:, :width]
    known = ~np.isnan(numbers)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, numbers, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, numbers - mean, 0) ** 2).sum(axis=0) / count)
    whole = ((numbers == 0) | (numbers == 1) | ~known).all(axis=0)  # true and false
    noise = random.standard_normal(numbers.shape) * np.where(whole, 0.0, given["std"] * spread)
    changed = cells.copy()
    changed[:, :width] += np.where(chosen[:, None], noise, 0.0)
    return changed


def _swap(
    cells: Cells,
    width: int,
    chosen: Chosen,
    given: Given,
    random: Random,
) -> Cells:
    taken = (random.random(cells.shape) < given["rate"]) & chosen[:, None]
    other = (random.random(cells.shape) * len(cells)).astype(np.int64)
    return np.where(taken, np.take_along_axis(cells, other, axis=0), cells)


def _missing(cells: Cells, width: int, chosen: Chosen, given: Given, random: Random) -> Cells:
    taken = (random.random(cells.shape) < given["rate"]) & chosen[:, None]
    nothing = np.where(np.arange(cells.shape[1]) < width, np.nan, float(MISSING))
    return np.where(taken, nothing, cells)


def _unknown(cells: Cells, width: int, chosen: Chosen, given: Given, random: Random) -> Cells:
    taken = (random.random(cells.shape) < given["rate"]) & chosen[:, None]
    taken[:, :width] = False
    return np.where(taken, float(UNKNOWN), cells)


_FORMS: dict[str, tuple[Form, dict[str, Bound]]] = {
    "noise": (_noise, {"std": Bound(0, 1, 0.1)}),
    "swap": (_swap, {"rate": Bound(0, 1, 0.1)}),
    "missing": (_missing, {"rate": Bound(0, 1, 0.1)}),
    "unknown": (_unknown, {"rate": Bound(0, 1, 0.1)}),
}
