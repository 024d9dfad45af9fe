"""Folds of the label audit: samples that show the same thing stand in one fold, classes are spread evenly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Codes = NDArray[np.int64]
FOLDS = 5


def units(length: int, links: Sequence[tuple[Codes, Codes]]) -> Codes:
    """A number for each sample, (N,), equal for those that are linked, be it over others.

    Args:
        length: N.
        links: pairs of positions, as two arrays each.
    """
    left = np.concatenate([np.empty(0, np.int64), *(pair[0] for pair in links)])
    right = np.concatenate([np.empty(0, np.int64), *(pair[1] for pair in links)])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(length, length))
    _, found = connected_components(graph, directed=False)
    result: Codes = found.astype(np.int64)
    return result


def equal(values: Sequence[object]) -> tuple[Codes, Codes]:
    """Links between each sample and the first with the same value; None is like nothing else."""
    first: dict[object, int] = {}
    pairs = [
        (first.setdefault(value, position), position)
        for position, value in enumerate(values)
        if value is not None
    ]
    joined = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
    return joined[:, 0], joined[:, 1]


def per_class(unit: Codes, codes: Codes, classes: int) -> Codes:
    """How many units each class has."""
    seen = np.unique(np.stack([codes, unit]), axis=1)
    return np.bincount(seen[0], minlength=classes)


def assign(unit: Codes, codes: Codes, seed: int) -> Codes:
    """The fold of each sample, (N,) in 0..4: units whole, the classes in equal shares as far as they let.

    Args:
        unit: (N,), as `units` numbers them.
        codes: (N,) the class of each sample; that of a unit is its first sample's.
        seed: shuffles.
    """
    order = np.random.default_rng(seed).permutation(len(unit))
    _, first, inverse, sizes = np.unique(unit, return_index=True, return_inverse=True, return_counts=True)
    kind = codes[first]
    fold = np.empty(len(sizes), np.int64)
    load = np.zeros((int(codes.max(initial=0)) + 1, FOLDS), np.int64)
    rank = np.empty(len(unit), np.int64)
    rank[order] = np.arange(len(unit))
    shuffled = np.argsort(rank[first])
    # Large units first, each to the fold that has least of its class, and of all.
    for number in sorted(shuffled[sizes[shuffled] > 1], key=lambda number: -int(sizes[number])):
        total = load.sum(axis=0)
        chosen = min(range(FOLDS), key=lambda f: (load[kind[number], f], total[f]))
        fold[number] = chosen
        load[kind[number], chosen] += sizes[number]
    single = shuffled[sizes[shuffled] == 1]
    for code in np.unique(kind[single]):
        mine = single[kind[single] == code]
        fold[mine] = _filling(load[code], len(mine))
    result: Codes = fold[inverse]
    return result


def _filling(load: Codes, count: int) -> Codes:
    """Folds for `count` single samples that even out `load`."""
    level = load.copy()
    found = np.empty(count, np.int64)
    uneven = min(count, int((level.max() - level).sum()))
    for position in range(uneven):
        found[position] = level.argmin()
        level[found[position]] += 1
    turn = np.argsort(level, kind="stable")
    found[uneven:] = np.resize(turn, count - uneven)
    return found
