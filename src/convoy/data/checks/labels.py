"""Labels that are missing, of no known class, or points that are no numbers or lie outside of the picture."""

from collections.abc import Callable, Iterator
from math import isfinite

import pandas as pd

from convoy.data.checks._base import Context, Finding
from convoy.data.labelling import parts

NAME = "labels"
_HIDDEN = 0  # visibility of a point that is not known


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: label (what the source said), missing label, unknown label, bad points."""
    found: dict[int, tuple[str, str]] = {}
    origins = samples["origin"].to_dict() if "origin" in samples.columns else {}
    if "problem" in samples.columns:
        told = samples["problem"].dropna()
        found |= {row: ("label", problem) for row, problem in zip(told.index.tolist(), told, strict=True)}
    for row, reason, detail in _WRONG[context.task](samples, context):
        found.setdefault(row, (reason, detail))
    return [
        Finding(row, reason, _located(detail, origins.get(row)))
        for row, (reason, detail) in sorted(found.items())
    ]


def _located(detail: str, origin: str | None) -> str:
    return f"{origin}: {detail}" if origin and origin not in detail else detail


def _classes(samples: pd.DataFrame, context: Context) -> Iterator[tuple[int, str, str]]:
    target = samples["target"]
    for row in samples.index[target.isna()].tolist():
        yield row, "missing label", "it has no label"
    strange = target[target.notna() & ~target.isin(context.classes)]
    for row, name in zip(strange.index.tolist(), strange, strict=True):
        yield row, "unknown label", f"{name!r} is none of the {len(context.classes)} classes"


def _labels(samples: pd.DataFrame, context: Context) -> Iterator[tuple[int, str, str]]:
    known = set(context.classes)
    for row, target in samples["target"].items():
        if target is None or target != target:
            yield int(str(row)), "missing label", "it has no label"
        elif strange := sorted(set(parts(str(target), context.separator)) - known):
            yield int(str(row)), "unknown label", f"{strange[0]!r} is none of the {len(known)} labels"


def _values(samples: pd.DataFrame, context: Context) -> Iterator[tuple[int, str, str]]:
    for row, values in samples["values"].items():
        if values is None or len(values) != len(context.points):
            yield int(str(row)), "missing label", f"it has not the {len(context.points)} numbers to predict"
        elif not all(map(isfinite, values)):
            yield int(str(row)), "bad number", "a number to predict is not finite"


def _points(samples: pd.DataFrame, context: Context) -> Iterator[tuple[int, str, str]]:
    if "keypoints" not in samples.columns:
        yield from ((int(row), "missing label", "it has no points") for row in samples.index)
        return
    names = ("keypoints", "width", "height")
    for row, points, width, height in zip(samples.index, *(samples[name] for name in names), strict=True):
        problem = _wrong(points, int(width), int(height), context.points)
        if problem:
            yield int(row), "bad points" if points is not None else "missing label", problem


def _wrong(points: object, width: int, height: int, names: list[str]) -> str | None:
    """What is wrong with x, y, visibility of each point; None: nothing."""
    if points is None:
        return "it has no points"
    values = [float(value) for value in points]  # type: ignore[attr-defined]
    if len(values) != 3 * len(names):
        return f"it has {len(values)} numbers for {len(names)} points; x, y and visibility of each are needed"
    for name, x, y, visible in zip(names, values[::3], values[1::3], values[2::3], strict=True):
        if not (isfinite(x) and isfinite(y) and isfinite(visible)):
            return f"point {name!r} is not finite"
        if visible != _HIDDEN and not (0 <= x <= width and 0 <= y <= height):
            return f"point {name!r} at ({x:g}, {y:g}) lies outside of the {width} x {height} picture"
    return None


_WRONG: dict[str, Callable[[pd.DataFrame, Context], Iterator[tuple[int, str, str]]]] = {
    "classification": _classes,
    "labels": _labels,
    "values": _values,
    "keypoints": _points,
    "none": lambda samples, context: iter(()),  # noqa: ARG005
}
