"""Line charts as SVG text, in the page's own fonts and colours; the same numbers give the same bytes.

Colours are classes of the page's style sheet (`tone-0`, `tone-1` …), so that a dark page has dark charts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LARGE = (340, 220)
SMALL = (260, 175)
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 18, 10, 38


@dataclass(frozen=True)
class Line:
    """A curve through `points` (x, y), in that order.

    Attributes:
        tone: number of its colour: 0 is the main one, 1 that of mistakes, 2 the quiet one.
        band: (low, high) around each point, as an area; `bars`: as a bar through each.
        sizes: radius of each point's dot; empty: all alike.
        joined: whether a curve is drawn from point to point.
        dashed: a reference rather than a measurement: without dots.
    """

    points: Sequence[tuple[float, float]]
    tone: int = 0
    band: Sequence[tuple[float, float]] = ()
    bars: Sequence[tuple[float, float]] = ()
    sizes: Sequence[float] = ()
    joined: bool = True
    dashed: bool = False


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers (1, 2, 5 times a power of ten apart) within [low, high]."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next((power * factor for factor in (1, 2, 5) if span / (power * factor) <= most - 1), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def padded(
    values: Sequence[float], *, floor: float | None = None, ceiling: float | None = None
) -> tuple[float, float]:
    """An axis that holds `values` with a little room, never past `floor` or `ceiling`; never empty."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    low, high = low - room, high + room
    if floor is not None:
        low = max(low, floor)
    if ceiling is not None:
        high = min(high, ceiling)
    return low, high


def chart(
    lines: Sequence[Line],
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    x_label: str,
    title: str,
    percent: bool = False,
    x_ticks: Sequence[float] | None = None,
    x_percent: bool = False,
    size: tuple[int, int] = LARGE,
) -> Markup:
    """One chart.

    Args:
        x, y: ends of the axes.
        title: read out by screen readers; the page prints its own heading.
        percent: y is a share; `x_percent`: so is x.
        size: LARGE or SMALL, in the page's pixels.
    """
    right, bottom = size[0] - _RIGHT, size[1] - _BOTTOM
    across, down = _Scale(x, _LEFT, right), _Scale(y, bottom, _TOP)
    box = f"0 0 {size[0]} {size[1]}"
    parts = [f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(title)}">']
    y_ticks = ticks(*y)
    for value, text in zip(y_ticks, _texts(y_ticks, percent), strict=True):
        at = down(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'
        )
    chosen = list(x_ticks) if x_ticks is not None else ticks(*x)
    below = f'y="{bottom + 16}" text-anchor="middle"'
    for value, text in zip(chosen, _texts(chosen, x_percent), strict=True):
        parts.append(f'<text x="{across(value):.1f}" {below}>{text}</text>')
    parts.append(
        f'<text x="{(_LEFT + right) / 2:.1f}" y="{size[1] - 5}" text-anchor="middle">{escape(x_label)}</text>'
    )
    parts += [_drawn(line, across, down) for line in lines]
    return Markup("".join(parts) + "</svg>")  # noqa: S704  (labels are escaped above, the rest is numbers)


def _drawn(line: Line, across: "_Scale", down: "_Scale") -> str:
    places = [(across(x), down(y)) for x, y in line.points]
    parts = []
    if line.band:
        edge = [(x, down(high)) for (x, _), (_, high) in zip(places, line.band, strict=True)]
        edge += [(x, down(low)) for (x, _), (low, _) in zip(places[::-1], line.band[::-1], strict=True)]
        parts.append(f'<polygon class="band tone-{line.tone}" points="{_path(edge)}"/>')
    for (x, _), (low, high) in zip(places, line.bars, strict=False):
        parts.append(
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{down(low):.1f}" y2="{down(high):.1f}"/>'
        )
    if line.joined:
        kind = "reference" if line.dashed else "line"
        parts.append(f'<polyline class="{kind} tone-{line.tone}" points="{_path(places)}"/>')
    if not line.dashed:
        sizes = line.sizes or [1.9 if len(places) > 12 else 2.6] * len(places)
        parts += [
            f'<circle class="dot tone-{line.tone}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
            for (x, y), size in zip(places, sizes, strict=True)
        ]
    return "".join(parts)


class _Scale:
    """Values between `ends` -> places between `start` and `stop`."""

    def __init__(self, ends: tuple[float, float], start: float, stop: float) -> None:
        self._low, self._span = ends[0], ends[1] - ends[0]
        self._start, self._room = start, stop - start

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) / self._span * self._room


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _texts(values: Sequence[float], percent: bool) -> list[str]:
    """Tick labels with as many decimals as the steps need."""
    shown = [100 * value for value in values] if percent else list(values)
    decimals = next((n for n in range(5) if all(abs(value - round(value, n)) < 1e-7 for value in shown)), 5)
    return [f"{value:.{decimals}f}" + (" %" if percent else "") for value in shown]
