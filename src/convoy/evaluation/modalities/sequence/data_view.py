"""Sequences in the report on the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context
from convoy.data.modalities.sequence import signals
from convoy.data.sources._base import Reader
from convoy.errors import DataError
from convoy.evaluation.modalities.sequence import lines
from convoy.evaluation.pictures import Inset, excerpt


class Look:
    """See `convoy.evaluation.data_report.Look`.

    Args:
        samples, read: of `ingest`.
        context: of the checks.
    """

    TITLES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "unreadable": ("Unreadable", "Files or lines that are missing, truncated or hold no number."),
        "channels": (
            "Channels",
            "Channels of one sequence that differ in length, or others than nearly all sequences have.",
        ),
        "missing": ("Missing values", "Missing or infinite; prepare.missing says what becomes of them."),
        "constant": ("Constant", "A channel that never changes."),
        "length": ("Length", "Far longer than the others; prepare.max_length may cut off their ends."),
        "rate": ("Sampling rate", "Another rate than most; prepare.rate brings all to one."),
        "conflicts": ("Conflicts", "The same sequence under two labels. Beside each: the other one."),
        "leakage": (
            "Leakage",
            "The same sequence in two of the given splits. Beside each: the one that stays.",
        ),
        "near_duplicates": (
            "Near duplicates",
            "Sequences that agree to two digits after scaling; a split keeps them together.",
        ),
        "label_by_length": ("Classes that length tells", ""),
    }
    FORM = ""

    def __init__(self, samples: pd.DataFrame, read: Reader, context: Context) -> None:
        self._paths = samples["path"]
        self._read = read

    def small(self, rows: "pd.Index[Any]") -> Sequence[Inset]:
        return [self._drawn(path) for path in self._paths.loc[rows]]

    def large(self, rows: "pd.Index[Any]") -> Sequence[Inset | None]:
        return self.small(rows)

    def facts(self, kept: pd.DataFrame) -> list[tuple[str, str]]:
        deciles = np.quantile(kept["length"].to_numpy(), [0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
        shares = ("10 %", "25 %", "half", "75 %", "90 %", "99 %")
        listed = ", ".join(
            f"{share} up to {value:,.0f}" for share, value in zip(shares, deciles, strict=True)
        )
        rates = kept["rate"].dropna().value_counts().sort_index()
        told = ", ".join(f"{rate:,g} Hz {count:,}" for rate, count in rates.items())
        names = kept["names"].iloc[0]
        gaps = int(kept["gaps"].sum())
        return [
            ("steps", f"{kept['length'].min():,} to {kept['length'].max():,}; {listed}"),
            ("channels", f"{kept['channels'].iloc[0]}{f' ({names})' if names else ''}"),
            *([("rate", told)] if told else []),
            *(
                [("missing values", f"{gaps:,}, in {int((kept['gaps'] > 0).sum()):,} sequences")]
                if gaps
                else []
            ),
        ]

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        raise NotImplementedError("no check suggests labels of sequences")

    def _drawn(self, path: str) -> Inset:
        try:
            return lines.figure(signals.decode(self._read(path)).values)
        except (DataError, signals.BadSequence):  # it was read before, and is gone now
            return excerpt("")
