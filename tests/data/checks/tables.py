"""Tables and contexts for the tests of checks, without files."""

import hashlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import ValidateConfig
from convoy.data import manifest
from convoy.data.checks import Context
from convoy.data.facts import Facts, thumbnail
from convoy.data.similarity import Twins, hashes, twins
from tests.data.pictures import MAX_PIXELS, noise


class KnownFacts:
    """Facts of pictures that are at hand."""

    folder = None

    def __init__(self, table: pd.DataFrame, thumbs: NDArray[np.uint8]) -> None:
        self.table = table
        self.thumbs = thumbs

    def twins(self, ids: list[str]) -> Twins:
        key = hashlib.sha256("".join(ids).encode()).hexdigest()
        hashed = self.table["hash"].to_numpy()
        return twins(hashed, lambda rows: self.thumbnails(pd.Index(rows)), cache=None, key=key)

    def thumbnails(self, rows: pd.Index) -> NDArray[np.uint8]:
        return self.thumbs[rows.to_numpy()]


def config(**how: Any) -> ValidateConfig:
    return ValidateConfig(**{"max_bad_fraction": 0.5, "max_pixels": MAX_PIXELS, "min_per_class": 3, **how})


def given(
    rows: list[dict[str, Any]], classes: list[str] | None = None, **context: Any
) -> tuple[pd.DataFrame, Context]:
    """Samples with facts, and their context.

    Args:
        rows: any columns of the table; `picture` (H, W, 3) is what it shows, noise of its own without; `id`
            comes from the picture.
        classes: default: the targets that occur.
        context: more of the context.
    """
    pictures = [row.get("picture", noise(number)) for number, row in enumerate(rows)]
    plain = {
        "target": "x",
        "split": None,
        "mode": "RGB",
        "format": "PNG",
        "bytes": 100,
        "reason": None,
        "detail": None,
    }
    table = pd.DataFrame(
        [
            {
                "id": manifest.content_id(picture),
                "path": f"{number}.png",
                **plain,
                "width": picture.shape[1],
                "height": picture.shape[0],
                "mean": float(picture.mean()),
                "std": float(picture.std()),
                **{name: value for name, value in row.items() if name != "picture"},
            }
            for number, (row, picture) in enumerate(zip(rows, pictures, strict=True))
        ]
    )
    thumbs = np.stack([thumbnail(picture) for picture in pictures])
    table["hash"] = hashes(thumbs)
    facts = cast(Facts, KnownFacts(table, thumbs))
    names = classes if classes is not None else sorted(set(table["target"].dropna()))
    how = {"config": config(), "base": Path("nowhere"), **context}
    return table, Context(classes=names, facts=facts, ids=table["id"].tolist(), **how)


def photo(seed: int = 0, height: int = 90, width: int = 120) -> NDArray[np.uint8]:
    """Smooth noise, as a photo: its copies that are scaled or saved again stay nearly the same."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    smooth: NDArray[np.uint8] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return smooth
