"""Texts in the report on the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from convoy.data.checks._base import Context
from convoy.data.sources._base import Reader
from convoy.evaluation.pictures import Inset, excerpt

_SMALL = 120  # characters
_BARS = 40
_SHOWN = 0.99  # of the texts; the longest stand in the last bar
_WIDE, _HIGH = 480, 90  # of the histogram, pixels
_BAR = Markup(
    '<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}">'
    "<title>{first} to {last} words: {count:,}</title></rect>"
)
_CHART = Markup(
    '<svg viewBox="0 0 {wide} {high}" style="max-width:{wide}px;width:100%" role="img" '
    'aria-label="number of texts by words"><g fill="var(--tone-1)">{bars}</g>'
    '<g fill="currentColor" font-size="11"><text x="0" y="{foot}">1</text>'
    '<text x="{wide}" y="{foot}" text-anchor="end">{most} words and more</text></g></svg>'
)


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

    def __init__(self, samples: pd.DataFrame, read: Reader, context: Context) -> None:
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
            ("length", _histogram(kept["words"].to_numpy())),
            (
                "characters",
                f"{characters.sum():,} in all, {characters.median():,.0f} in the median",
            ),
            ("script", ", ".join(f"{name or 'none'} {count:,}" for name, count in scripts)),
        ]

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        raise NotImplementedError("no check suggests labels of texts")


def _histogram(words: NDArray[np.int64]) -> Markup:
    """How many texts have how many words, as SVG; texts beyond the 99th percentile are in the last bar."""
    most = max(int(np.quantile(words, _SHOWN)), 1)
    step = -(-most // _BARS)  # whole words, so that no bar stands for more lengths than another
    counts = np.bincount((words - 1).clip(0, most - 1) // step)
    width, tallest = _WIDE / len(counts), counts.max()
    bars = [
        _BAR.format(
            left=number * width,
            top=_HIGH * (1 - count / tallest),
            wide=0.9 * width,
            high=_HIGH * count / tallest,
            first=number * step + 1,
            last=(number + 1) * step,
            count=count,
        )
        for number, count in enumerate(counts.tolist())
    ]
    return _CHART.format(wide=_WIDE, high=_HIGH + 16, foot=_HIGH + 13, bars=Markup("").join(bars), most=most)
