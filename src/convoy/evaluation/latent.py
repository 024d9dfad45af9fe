"""Pictures of autoencoders: reconstructions below their originals, and the codes in the plane."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from convoy.data import fonts
from convoy.evaluation import pictures
from convoy.io import write_bytes

Images = NDArray[np.uint8]
Pixels = NDArray[np.float32]

_GAP = 2  # white pixels between the two
_LEAST_SIDE = 56  # of a small picture in the file
_ACROSS = 16
_MANY_LABELS = 20
_DOT = 4.0


def stacked(images: Images, restored: Pixels) -> Images:
    """Originals (N, H, W, C) above reconstructions (from 0 to 1): (N, 2 H + gap, W, C)."""
    count, _, width, channels = images.shape
    gap = np.full((count, _GAP, width, channels), 255, np.uint8)
    return np.concatenate([images, gap, np.rint(restored * 255).astype(np.uint8)], axis=1)


def draw_pairs(pairs: Images, path: Path) -> None:
    """Pairs (N, H, W, C) of `stacked` in rows, as PNG; small ones enlarged pixel by pixel."""
    count, height, width, channels = pairs.shape
    across = min(count, _ACROSS)
    down = -(-count // across)
    cells = np.full((down * across, height + 2 * _GAP, width + _GAP, channels), 255, np.uint8)
    cells[:count, _GAP : _GAP + height, :width] = pairs
    sheet = cells.reshape(down, across, *cells.shape[1:]).transpose(0, 2, 1, 3, 4)
    sheet = sheet.reshape(down * cells.shape[1], across * cells.shape[2], channels)
    scale = max(1, -(-_LEAST_SIDE // width))
    sheet = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    buffer = BytesIO()
    Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def plane(
    places: NDArray[np.float64], labels: NDArray[np.int64], names: Sequence[str], shares: tuple[float, float]
) -> bytes:
    """Codes in the plane (N, 2) as PNG, coloured by label where there are several.

    Args:
        labels: (N,) positions in `names`.
        shares: of the codes' spread, that each axis holds.
    """
    with pictures.typefaces(names):
        figure = Figure(figsize=(5.4, 4.2), layout="constrained")
        axes = figure.subplots()
        if 1 < len(names) <= _MANY_LABELS:
            for number, name in enumerate(fonts.shown(names)):
                mine = places[labels == number]
                colour = f"C{number}" if len(names) <= 10 else None
                axes.scatter(
                    mine[:, 0], mine[:, 1], s=_DOT, alpha=0.6, linewidths=0, color=colour, label=name
                )
            axes.legend(
                markerscale=3, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False
            )
        else:
            axes.scatter(places[:, 0], places[:, 1], s=_DOT, alpha=0.6, linewidths=0)
        axes.set(
            xlabel=f"first component of the codes ({shares[0]:.0%} of the spread)",
            ylabel=f"second component ({shares[1]:.0%})",
        )
        axes.grid(alpha=0.3)
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def inline(png: bytes, said: str) -> Markup:
    """A picture inside a page."""
    code = base64.b64encode(png).decode("ascii")
    return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(code, said)
