"""Pictures in the report on the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from convoy.data.checks._base import Context
from convoy.data.previews import Preview, previews
from convoy.data.sources._base import Reader
from convoy.evaluation import label_gallery
from convoy.evaluation.pictures import Inset, thumbnail


class Look:
    """See `convoy.evaluation.data_report.Look`.

    Args:
        samples: the table of `ingest`.
        read: gives their content.
        context: of the checks.
    """

    TITLES: ClassVar[Mapping[str, tuple[str, str]]] = {}
    FORM = ", 32 pixels wide and high"

    def __init__(self, samples: pd.DataFrame, read: Reader, context: Context) -> None:
        self._samples, self._read, self._context = samples, read, context

    def small(self, rows: "pd.Index[Any]") -> Sequence[Inset]:
        """32 x 32 pixels, in grey where all three channels are equal."""
        return [thumbnail(_grey(image)) for image in self._context.facts.thumbnails(rows)]

    def large(self, rows: "pd.Index[Any]") -> Sequence[Inset | None]:
        some = self._samples.loc[rows]
        found = previews(
            some["id"].tolist(),
            some["path"].tolist(),
            self._read,
            self._context.config.max_pixels,
            self._cache,
        )
        return [None if image is None else thumbnail(image) for image in found]

    def facts(self, kept: pd.DataFrame) -> list[tuple[str, str]]:
        sizes = [
            f"{kept[side].min():,} to {kept[side].max():,}, median {kept[side].median():,.0f}"
            for side in ("width", "height")
        ]
        listed = [
            ", ".join(f"{name} {count:,}" for name, count in kept[column].value_counts().head(8).items())
            for column in ("mode", "format")
        ]
        return [
            ("width", sizes[0]),
            ("height", sizes[1]),
            ("colour mode", listed[0]),
            ("format", listed[1]),
            ("bytes", f"{kept['bytes'].sum():,} in all, {kept['bytes'].median():,.0f} in the median"),
            (
                "grey",
                f"mean {kept['mean'].mean():.0f} of 255, deviation {kept['std'].median():.0f} in the median",
            ),
        ]

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        label_gallery.write(out, suggestions, self._read, self._context.config.max_pixels, self._cache)

    @property
    def _cache(self) -> Path:
        return self._context.cache / "previews"


def _grey(image: Preview) -> Preview:
    """One channel where all three are equal."""
    return image[:, :, :1] if (image == image[:, :, :1]).all() else image
