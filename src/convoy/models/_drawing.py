"""A network drawn from its table: a box a layer, as high as its maps, as wide as its channels are many."""

import math
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from convoy.io import atomic_path
from convoy.models._summary import Row, Summary

_MOST = 48  # boxes; more are joined by the part of the network that they belong to
_COLOURS = {"conv": "#4477aa", "dense": "#aa3377", "pool": "#ccbb44", "other": "#bbbbbb"}
_WORDS = {"conv": "convolution", "dense": "dense", "pool": "pooling", "other": "other"}
_GAP = 0.35


def draw(summary: Summary, title: str, path: Path) -> None:
    """Write the drawing as .svg (self-contained) or .png; equal tables give equal bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    boxes = _boxes(summary)
    highest = max(math.log2(1 + row.shape[1]) if len(row.shape) == 3 else 1.0 for row in boxes)
    widths = [_width(row) for row in boxes]
    length = sum(widths) + _GAP * len(widths)
    with mpl.rc_context({"svg.hashsalt": "convoy", "svg.fonttype": "path", "font.size": 8}):
        figure = Figure(figsize=(min(24.0, max(6.0, 0.32 * length + 1)), 2.8))
        axes = figure.add_subplot()
        left = 0.0
        for row, width in zip(boxes, widths, strict=True):
            height = math.log2(1 + row.shape[1]) if len(row.shape) == 3 else 1.0
            colour = _COLOURS[_role(row)]
            axes.add_patch(Rectangle((left, -height / 2), width, height, facecolor=colour, edgecolor="white"))
            text = "×".join(map(str, row.shape))
            axes.text(
                left + width / 2, -highest / 2 - 0.3, f"{row.name}  {row.kind}  {text}",
                rotation=90, ha="center", va="top",
            )  # fmt: skip
            left += width + _GAP
        axes.set_xlim(-_GAP, left)
        axes.set_ylim(-highest / 2 - 0.1, highest / 2 + 0.8)
        axes.axis("off")
        seen = [role for role in _COLOURS if any(_role(row) == role for row in boxes)]
        axes.legend(
            handles=[Patch(color=_COLOURS[role], label=_WORDS[role]) for role in seen],
            loc="upper right", ncols=len(seen), frameon=False,
        )  # fmt: skip
        axes.set_title(
            f"{title}: {summary.parameters:,} parameters, {summary.multiply_adds / 1e6:,.1f} M multiply-adds"
        )
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        with atomic_path(path) as temporary:
            figure.savefig(
                temporary,
                format=path.suffix.removeprefix("."),
                dpi=150,
                metadata=metadata,
                bbox_inches="tight",
            )


def _boxes(summary: Summary) -> list[Row]:
    """What is drawn: what holds weights or pools; the last of each part where these are too many."""
    rows = [row for row in summary.rows if _role(row) != "other"] or summary.rows
    for parts in (3, 2, 1):
        if len(rows) <= _MOST:
            break
        rows = list(_last_of_each(rows, parts))
    return rows[:_MOST]


def _last_of_each(rows: Iterable[Row], parts: int) -> Iterable[Row]:
    for _, members in groupby(rows, key=lambda row: row.name.split(".")[:parts]):
        yield list(members)[-1]


def _role(row: Row) -> str:
    kind = row.kind.lower()
    if "conv" in kind:
        return "conv"
    if "linear" in kind:
        return "dense"
    return "pool" if "pool" in kind else "other"


def _width(row: Row) -> float:
    return 0.3 + 0.12 * math.log2(1 + row.shape[0])
