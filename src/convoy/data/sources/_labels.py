"""Labels against `data.classes`."""

from collections.abc import Sequence

import pandas as pd

from convoy.config.data import DataConfig


def checked(samples: pd.DataFrame, found: list[str], data: DataConfig) -> tuple[pd.DataFrame, list[str]]:
    """The samples and the classes, in the order of `data.classes` where it is given.

    A label that `data.classes` does not name becomes the row's `problem`; its target is null.

    Args:
        samples: with target and an index from 0; `problem` may be there.
        found: the classes that the source found, in its order.
        data: the section of params.yaml.
    """
    if data.classes is None:
        return samples, found
    known = set(data.classes)
    targets = samples["target"].tolist()
    if known.issuperset(targets):
        return samples, list(data.classes)
    before = samples["problem"].tolist() if "problem" in samples else [None] * len(samples)
    problems = [
        said
        or (None if target is None or target in known else f"the label {target!r} is none of data.classes")
        for said, target in zip(before, targets, strict=True)
    ]
    kept = [target if target in known else None for target in targets]
    return samples.assign(target=column(kept), problem=column(problems)), list(data.classes)


def column(values: Sequence[str | None]) -> "pd.Series[str]":
    """A column in which what is missing stays None."""
    return pd.Series(list(values), dtype=object)
