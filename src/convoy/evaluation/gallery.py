"""Samples with captions, in a page of their own or inside a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convoy.evaluation.page import page
from convoy.evaluation.pictures import Shown, inset


@dataclass(frozen=True)
class Sample:
    """One sample of a gallery.

    Attributes:
        image: what is shown of the sample; None where it is not to be had.
        caption: in a word or two.
        detail: the line below it.
        source: where the picture lies; its end is shown.
        heat: shown beside it.
        group: the heading under which it stands; groups come in the order of their first sample.
    """

    image: Shown | None
    caption: str
    detail: str = ""
    source: str = ""
    heat: Shown | None = None
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
            "image": None if sample.image is None else inset(sample.image),
            "heat": None if sample.heat is None else inset(sample.heat),
            "caption": sample.caption,
            "detail": sample.detail,
            "source": sample.source,
            "source_end": sample.source.rpartition("/")[2],
        }
        for sample in samples
    ]
