"""What a check is: a module with a NAME (its key in validate.checks) and a function `run`.

    run(samples, context) -> list[Finding]

`samples` are rows that earlier checks did not leave out; all of them open, but for those that the checks
`unreadable` and `oversized` see, which see all. The index is the row's number in the table of `ingest`; the
columns are those of the sample table and of the facts (see `convoy.data.facts`). A check changes nothing and
raises nothing that bad data can cause. What a finding does (stop the run, leave the sample out, warn) is said
by validate.checks; one that is `mild` never does more than warn.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from convoy.config.data import ValidateConfig
from convoy.data.similarity import Twins
from convoy.data.sources._base import Task
from convoy.layout import STATE


@dataclass(frozen=True)
class Finding:
    """What a check says of one sample, or of the data as a whole.

    Attributes:
        row: index of the sample; None: of the whole.
        reason: a word or two, the same for all findings of a kind ("duplicate", "truncated").
        detail: in words, without the sample's own path.
        other: path of the sample that this one is compared with.
        mild: it warns at most, whatever the policy.
    """

    row: int | None
    reason: str
    detail: str
    other: str = ""
    mild: bool = False


class Known(Protocol):
    """What a modality found out about the samples; its own checks know more of it."""

    @property
    def table(self) -> pd.DataFrame:
        """By the samples' index: `reason` and `detail` (None where a sample can be used), and the facts."""

    @property
    def opened(self) -> int:
        """How many samples were looked at now."""

    @property
    def known(self) -> int:
        """How many distinct contents were known from earlier runs."""

    def twins(self, ids: list[str]) -> Twins:
        """Pairs of samples that are nearly the same; `ids` of all rows."""


@dataclass(frozen=True)
class Context:
    """What checks may use besides the table.

    Attributes:
        config: section `validate`.
        classes: all class names of the source, in class order.
        facts: of all rows of `ingest`, by the modality.
        ids: of all rows of `ingest`.
        noun: what a sample is called.
        task: classification; labels (several a sample, or none); keypoints or values, which are no classes;
            none.
        points: names of the keypoints.
        separator: between the labels of a target, where samples have several.
        base: the project's root; `cache` below it may hold what is costly to find anew.
        before: id, path and target of the data that were accepted last; None: there were none.
    """

    config: ValidateConfig
    classes: list[str]
    facts: Any  # Known, and what the modality's own checks look for in it
    ids: list[str]
    noun: str = "picture"
    task: Task = "classification"
    points: list[str] = field(default_factory=list)
    separator: str = ""
    base: Path = Path()
    before: pd.DataFrame | None = None

    @property
    def cache(self) -> Path:
        return self.base / STATE / "cache"

    @cached_property
    def twins(self) -> Twins:
        """Pairs of rows that are nearly the same."""
        facts: Known = self.facts
        return facts.twins(self.ids)

    def clusters(self, samples: pd.DataFrame) -> "pd.Series[str]":
        """The name of the cluster of nearly equal samples, of those of `samples` that have such twins."""
        names = self.twins.names(self.ids, samples.index.to_numpy())
        return pd.Series(names, index=samples.index, dtype=object).dropna()


class Check(Protocol):
    """The type of a check module."""

    @property
    def NAME(self) -> str: ...

    def run(self, samples: pd.DataFrame, context: Context) -> list[Finding]: ...


def labels_of(samples: pd.DataFrame, context: Context) -> "pd.Series[str]":
    """What a sample is said to be, in a form that can be compared: its class, or its points."""
    if context.task in ("classification", "labels"):
        return samples["target"]
    if context.task == "values":
        return samples["values"].map(lambda values: ",".join(map(str, values)))
    if context.task == "none" or "keypoints" not in samples.columns:
        return pd.Series("", index=samples.index, dtype=object)
    return samples["keypoints"].map(lambda points: "" if points is None else ",".join(map(str, points)))


def named(label: str, context: Context) -> str:
    """A label as messages name it."""
    return str(label) if context.task in ("classification", "labels") else f"other {context.task}"


def number(value: float) -> str:
    """1234 -> "1,234"."""
    return f"{value:,.0f}"
