"""Texts in the report on the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context
from convoy.data.sources._base import Reader
from convoy.evaluation.pictures import Inset, excerpt

_SMALL = 120  # characters


class Look:
    """See `convoy.evaluation.data_report.Look`.

    Args:
        samples, read: of `ingest`; the facts hold the texts already.
        context: of the checks.
    """

    TITLES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "unreadable": ("Unreadable", "Texts that are missing, empty or not UTF-8."),
        "encoding": ("Encoding", "Characters that a wrong encoding leaves behind."),
        "length": ("Length", "Far longer than the others; prepare.max_length may cut off their ends."),
        "script": ("Script", "Another script than nearly all others: a language that slipped in."),
        "conflicts": ("Conflicts", "The same text under two labels. Beside each: the other one."),
        "leakage": ("Leakage", "The same text in two of the given splits. Beside each: the one that stays."),
        "near_duplicates": (
            "Near duplicates",
            "Texts that differ in case, blanks and punctuation alone; a split keeps them together.",
        ),
        "label_by_length": ("Classes that length tells", ""),
    }
    FORM = ""

    def __init__(self, samples: pd.DataFrame, read: Reader, context: Context) -> None:  # noqa: ARG002
        self._texts = context.facts.texts

    def small(self, rows: "pd.Index[Any]") -> Sequence[Inset]:
        return [excerpt(text, _SMALL) for text in self._texts.loc[rows]]

    def large(self, rows: "pd.Index[Any]") -> Sequence[Inset | None]:
        return [excerpt(text) for text in self._texts.loc[rows]]

    def facts(self, kept: pd.DataFrame) -> list[tuple[str, str]]:
        deciles = np.quantile(kept["words"].to_numpy(), [0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
        shares = ("10 %", "25 %", "half", "75 %", "90 %", "99 %")
        listed = ", ".join(
            f"{share} up to {value:,.0f}" for share, value in zip(shares, deciles, strict=True)
        )
        characters = kept["characters"]
        scripts = kept["script"].value_counts().head(8).items()
        return [
            ("words", f"{kept['words'].min():,} to {kept['words'].max():,}; {listed}"),
            (
                "characters",
                f"{characters.sum():,} in all, {characters.median():,.0f} in the median",
            ),
            ("script", ", ".join(f"{name or 'none'} {count:,}" for name, count in scripts)),
        ]

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        raise NotImplementedError("no check suggests labels of texts")
