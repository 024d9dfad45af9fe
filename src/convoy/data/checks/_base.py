"""What a check is: a module with a NAME and a function `run`.

    run(samples, context) -> Verdict

It gets the samples that earlier checks kept (columns id, path, target, split and what those added). It says
which are to be quarantined and why, what it has learned about all of them, and what makes the whole data
unusable. It changes nothing and raises nothing that bad data can cause.
"""

from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd

from convoy.data.sources._base import Reader

FINDING_COLUMNS = ("path", "target", "reason", "detail")


@dataclass(frozen=True)
class Context:
    """What checks may use besides the table.

    Attributes:
        read: gives the content of a sample by its locator.
        classes: all class names of the source, in class order.
        max_pixels: above it a picture is not opened.
        min_per_class: fewest good samples that a class may have.
    """

    read: Reader
    classes: list[str]
    max_pixels: int
    min_per_class: int


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        bad: index of the samples to quarantine -> (reason, detail).
        columns: new columns of the table, (N,) each, of the samples as given.
        problems: sentences; one of them is enough to stop the run.
    """

    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    columns: dict[str, list[object]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Check(Protocol):
    """The type of a check module."""

    @property
    def NAME(self) -> str: ...

    def run(self, samples: pd.DataFrame, context: Context) -> Verdict: ...
