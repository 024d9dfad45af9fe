"""Targets that are several labels: one text a sample, the labels' names between separators."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data import manifest


def joined(labels: Sequence[str], separator: str, order: Sequence[str] | None = None) -> str:
    """The labels of one sample as its target, each once; in the order of `order`, where it is given."""
    distinct = dict.fromkeys(labels)
    return separator.join(sorted(distinct, key=order.index) if order is not None else distinct)


def parts(target: str, separator: str) -> list[str]:
    """The labels of a target."""
    return [part for part in target.split(separator) if part]


def shown(targets: "pd.Series[Any]", classes: Sequence[str], separator: str) -> NDArray[np.bool_]:
    """Which labels each sample has, (N, K); none where the target is missing."""
    place = {name: number for number, name in enumerate(classes)}
    codes, distinct = pd.factorize(targets.fillna(""))
    table = np.zeros((len(distinct), len(classes)), bool)
    for row, target in enumerate(distinct):
        for name in parts(str(target), separator):
            table[row, place[name]] = True
    found: NDArray[np.bool_] = table[codes]
    return found


def counts(samples: pd.DataFrame, classes: list[str], facts: Mapping[str, Any]) -> dict[str, int]:
    """Samples of each class or label, in class order.

    Args:
        facts: task and separator.
    """
    if facts.get("task") != "labels":
        return manifest.counts(samples, classes)
    known = samples["target"].map(
        lambda target: (
            target is None or target != target or set(parts(target, facts["separator"])) <= {*classes}
        )
    )
    held = shown(samples.loc[known.astype(bool), "target"], classes, facts["separator"])
    return dict(zip(classes, held.sum(axis=0).tolist(), strict=True))
