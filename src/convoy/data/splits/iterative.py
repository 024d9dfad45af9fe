"""Several labels a sample: the rarest label first, each sample to the side that wants it most.

Iterative stratification (Sechidis, Tsoumakas & Vlahavas, 2011): shares of every label come out nearly as
asked for. The price is that a sample's side depends on all others, so sides move when data grow; `stratified`
keeps them. Ties are decided by the samples' positions, so the result depends on content and seed alone.
"""

import numpy as np
import pandas as pd

from convoy.data.splits._base import TEST, TRAIN, VAL, Codes, Division, Floats, How, Units
from convoy.errors import ConfigError


def divide(samples: pd.DataFrame, how: How) -> Division:
    """Twins stay together.

    Raises:
        ConfigError: the samples have no several labels.
    """
    if how.labels is None:
        raise ConfigError(
            "strategy: iterative is for samples of several labels",
            where="params.yaml: split.strategy",
            fix="use stratified",
        )
    units = Units(samples, groups=False)
    held = np.zeros((len(units), how.labels.shape[1]), np.int64)
    np.add.at(held, units.of, how.labels.astype(np.int64))
    sizes = np.bincount(units.of, minlength=len(units))
    shares = np.zeros(3)
    shares[[TRAIN, VAL, TEST]] = 1 - how.val - how.test, how.val, how.test
    order = np.argsort(units.positions(how.seed), kind="stable")
    sides = np.empty(len(units), np.int64)
    sides[order] = assign(held[order], sizes[order], shares)
    return Division(sides[units.of], units)


def assign(held: Codes, sizes: Codes, shares: Floats) -> Codes:
    """The side (U,) of every unit.

    Args:
        held: (U, K) how many of a unit's samples have each label; the order of units decides ties.
        sizes: (U,) samples of each unit.
        shares: of the sides.
    """
    wanted = shares[:, None] * held.sum(axis=0)  # (sides, K), what each still lacks
    room = shares * sizes.sum()
    sides = np.full(len(held), -1, np.int64)
    left = held.sum(axis=0)
    while (left > 0).any():
        label = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for unit in np.flatnonzero((sides < 0) & (held[:, label] > 0)).tolist():
            side = _neediest(wanted[:, label], room)
            sides[unit] = side
            wanted[side] -= held[unit]
            room[side] -= sizes[unit]
            left -= held[unit]
    for unit in np.flatnonzero(sides < 0).tolist():  # those without a label
        sides[unit] = side = int(room.argmax())
        room[side] -= sizes[unit]
    return sides


def _neediest(wanted: Floats, room: Floats) -> int:
    """The side that lacks most of a label; of those, the one with the most room; of those, the first."""
    most = np.flatnonzero(wanted == wanted.max())
    return int(most[room[most].argmax()])
