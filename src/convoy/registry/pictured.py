"""The samples that changed sides, as a page of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import manifest, opening, pixels
from convoy.errors import ConvoyError
from convoy.evaluation.gallery import Sample, render_gallery
from convoy.registry import changes
from convoy.registry.collecting import Side

if TYPE_CHECKING:
    from convoy.config.schema import Config

MOST = 300  # pictures of one pair
_CHANNELS = 3
_GROUPS = {"lost": "right before, wrong now", "won": "wrong before, right now"}


def page(found: Sequence[Side], project: "tuple[Path, Config] | None") -> str:
    """HTML: for each side but the first, what it lost and what it won against the first.

    Args:
        project: whose raw data hold the pictures; without it, or where a picture is another one now, its
            place stays empty.
    """
    first = found[0]
    samples = []
    counts = []
    for other in found[1:]:
        rows = changes.sides(first, other)
        pictures = _pictures(rows[:MOST], project)
        samples += [
            _sample(row, picture, other.name) for row, picture in zip(rows[:MOST], pictures, strict=True)
        ]
        lost = sum(row["change"] == "lost" for row in rows)
        counts.append(f"{other.name}: {lost} lost, {len(rows) - lost} won, against {first.name}")
    return render_gallery("Samples that changed sides", samples, subtitle="; ".join(counts))


def _sample(row: dict[str, Any], picture: NDArray[np.uint8] | None, name: str) -> Sample:
    before, after = row["confidence"]
    return Sample(
        image=picture,
        caption=str(row["target"]),
        detail=f"{row['first']} {before:.2f} → {row['other']} {after:.2f}",
        source=str(row["path"]),
        group=f"{name}: {_GROUPS[row['change']]}",
    )


def _pictures(
    rows: Sequence[dict[str, Any]], project: "tuple[Path, Config] | None"
) -> list[NDArray[np.uint8] | None]:
    if project is None or not rows:
        return [None] * len(rows)
    root, config = project
    try:
        read = opening.reader(config.data, root)
    except (ConvoyError, OSError):
        return [None] * len(rows)
    found: list[NDArray[np.uint8] | None] = []
    for row in rows:
        try:
            content = read(row["path"])
            known = manifest.content_id(content) == row["id"]
            limit = config.validation.max_pixels
            found.append(pixels.decode(content, _CHANNELS, limit) if known else None)
        except (ConvoyError, OSError, ValueError, KeyError):
            found.append(None)
    return found
