"""Sequences as lines: in pages as SVG, in pictures as pixels."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from convoy.evaluation.pictures import Excerpt

Values = NDArray[np.floating]
_WIDTH, _HEIGHT = 220, 90
_STEPS = 440  # of a line; longer ones are drawn by the least and the largest value of each stretch
_CHANNELS = 6  # that are drawn
_MARGIN = 4
_OPACITY = (1.0, 0.75, 0.6, 0.5, 0.42, 0.36)  # of the channels' lines
_TONES = ((180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148), (75, 86, 140))  # BGR
_SVG = Markup(
    '<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
    'style="max-width:100%;height:auto;display:block">{inside}</svg>'
)
_LINE = Markup(
    '<polyline points="{}" fill="none" stroke="var(--tone-{})" stroke-opacity="{}" stroke-width="1.3" '
    'stroke-linejoin="round"/>'
)
_BAND = Markup('<rect x="{}" y="0" width="{}" height="{}" fill="var(--tone-1)" fill-opacity="{}"/>')


def figure(values: Values, marked: NDArray[np.floating] | None = None) -> Excerpt:
    """A sequence (T, C) as a small drawing, for pages.

    Args:
        marked: (T,) from 0 to 1: how strongly each step is marked.
    """
    places, edges = _places(values, _WIDTH, _HEIGHT), np.linspace(0, _WIDTH, len(values) + 1)
    parts = []
    if marked is not None:
        for start, end, share in _stretches(marked):
            x, wide = round(float(edges[start]), 1), round(float(edges[end] - edges[start]), 1)
            parts.append(_BAND.format(x, wide, _HEIGHT, share))
    for number, points in enumerate(places):
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())
        parts.append(_LINE.format(joined, number % 3, _OPACITY[number]))
    return Excerpt(_SVG.format(width=_WIDTH, height=_HEIGHT, inside=Markup("").join(parts)))


def pictures(sequences: Sequence[Values], side: int = 240) -> NDArray[np.uint8]:
    """(N, side, side, 3): the sequences as pictures, RGB."""
    found = np.full((len(sequences), side, side, 3), 255, np.uint8)
    for picture, values in zip(found, sequences, strict=True):
        for number, points in enumerate(_places(values, side, side)):
            corners = np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)  # sixteenths of a pixel
            cv2.polylines(picture, [corners], False, _TONES[number][::-1], 2, cv2.LINE_AA, 4)
    return found


def _places(values: Values, width: int, height: int) -> list[NDArray[np.float64]]:
    """For each channel (points, 2) of x and y; all channels on one scale."""
    shown = np.asarray(values, np.float64)[:, :_CHANNELS]
    low, high = float(np.nanmin(shown, initial=np.inf)), float(np.nanmax(shown, initial=-np.inf))
    if not np.isfinite(low + high):
        return []
    span = high - low if high > low else 1.0
    found = []
    for channel in shown.T:
        known = np.flatnonzero(np.isfinite(channel))
        steps = _reduced(channel[known])
        at = known[steps]
        x = _MARGIN + at / max(1, len(values) - 1) * (width - 2 * _MARGIN)
        y = height - _MARGIN - (channel[at] - low) / span * (height - 2 * _MARGIN)
        found.append(np.stack([x, y], axis=1))
    return found


def _reduced(channel: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which steps are drawn."""
    if len(channel) <= _STEPS:
        return np.arange(len(channel))
    parts = np.array_split(np.arange(len(channel)), _STEPS // 2)
    ends = [sorted({int(part[channel[part].argmin()]), int(part[channel[part].argmax()])}) for part in parts]
    return np.array([step for pair in ends for step in pair], np.int64)


def _stretches(marked: NDArray[np.floating]) -> list[tuple[int, int, float]]:
    """Start, end and opacity of stretches that are marked alike; those that are not are left out."""
    shares = np.round(np.asarray(marked, np.float64) * 0.6, 2)
    edges = [0, *(np.flatnonzero(np.diff(shares)) + 1).tolist(), len(shares)]
    return [(start, end, float(shares[start])) for start, end in pairwise(edges) if shares[start] > 0]
