"""Samples with captions, in a page of their own or inside a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.evaluation.page import page
from convoy.evaluation.pictures import thumbnail


@dataclass(frozen=True)
class Sample:
    """One picture of a gallery.

    Attributes:
        image: (H, W, C) uint8, C of 1 or 3; None where the picture is not to be had.
        caption: in a word or two.
        detail: the line below it.
        source: where the picture lies; its end is shown.
        heat: (H, W, 3) uint8, shown beside the picture.
        group: the heading under which it stands; groups come in the order of their first sample.
    """

    image: NDArray[np.uint8] | None
    caption: str
    detail: str = ""
    source: str = ""
    heat: NDArray[np.uint8] | None = None
    group: str = ""


def render_gallery(title: str, rows: Sequence[Sample], *, subtitle: str = "") -> str:
    """A self-contained page, HTML; the same samples give the same bytes."""
    groups: dict[str, list[Sample]] = {}
    for sample in rows:
        groups.setdefault(sample.group, []).append(sample)
    return page(
        "gallery.html",
        title=title,
        subtitle=subtitle,
        groups=[{"name": name, "samples": entries(samples)} for name, samples in groups.items()],
    )


def entries(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """What the gallery's template needs of each sample."""
    return [
        {
            "image": None if sample.image is None else thumbnail(sample.image),
            "heat": None if sample.heat is None else thumbnail(sample.heat),
            "caption": sample.caption,
            "detail": sample.detail,
            "source": sample.source,
            "source_end": sample.source.rpartition("/")[2],
        }
        for sample in samples
    ]
