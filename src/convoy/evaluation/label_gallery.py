"""The doubtful labels as a person looks at them: labels.html with the pictures, fixes.csv to fill in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import io
from convoy.data.labels import suggestions
from convoy.data.previews import previews
from convoy.data.sources._base import Reader
from convoy.evaluation.gallery import Sample, render_gallery

PAGE = "labels.html"
MOST = 200  # pictures on the page; fixes.csv goes on
_DOUBTED, _NEXT = "Probably wrong", "Next in doubt"
_HOW = (
    "The most doubtful first: given label → suggested, and what a model that has not seen the picture gives "
    "to both. Write relabel, drop or keep into the column action of fixes.csv beside this page, or of a copy "
    "of it (the next run writes it anew); the class in the column suggested may be changed. Then run: "
    "convoy data fix"
)


def write(out: Path, listed: pd.DataFrame, read: Reader, max_pixels: int, cache: Path | None = None) -> None:
    """Write labels.html and fixes.csv; both list the same rows in the same order.

    Args:
        out: folder of the files.
        listed: as `convoy.data.labels.suggestions.table` gives it.
        read: gives the content of a sample.
        max_pixels: pictures that claim more are not opened.
        cache: a folder that may keep the small pictures.
    """
    shown = listed.head(MOST)
    pictures = previews(shown["id"].tolist(), shown["path"].tolist(), read, max_pixels, cache)
    io.write_text(out / PAGE, render(shown, pictures, len(listed)))
    suggestions.write(out / suggestions.FILE, listed)


def render(shown: pd.DataFrame, pictures: Sequence[NDArray[np.uint8] | None], total: int) -> str:
    """The page; the same rows and pictures give the same bytes."""
    more = f" {total - len(shown)} more stand in fixes.csv." if total > len(shown) else ""
    return render_gallery(
        "Doubtful labels",
        [
            Sample(
                picture,
                f"{number}. {row.target} → {row.suggested}",
                detail=f"{row.given:.2f} → {row.confidence:.2f}",
                source=str(row.path),
                group=_DOUBTED if row.doubted else _NEXT,
            )
            for number, (row, picture) in enumerate(zip(shown.itertuples(), pictures, strict=True), 1)
        ],
        subtitle=(_HOW + more) if total else "No label is doubted.",
    )
