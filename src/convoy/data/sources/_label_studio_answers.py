"""What the annotators of a task in Label Studio say together: one label, points, or the problem."""

import math
import re
from dataclasses import dataclass
from typing import Any

from convoy.config.data import DataConfig
from convoy.data.sources._base import listed
from convoy.data.sources._label_studio_export import Annotation

_SEEN = 2.0  # the visibility of a point that is set
Points = tuple[tuple[str, float, float], ...]  # name, x and y in pixels; by name


@dataclass(frozen=True)
class Answer:
    """What a task was found to show: a label or points, or else the problem."""

    label: str | None = None
    points: Points | None = None
    problem: str | None = None


_NOTHING = Answer(problem="the annotation says nothing")


def agreed(annotations: list[Annotation], control: str, kind: str) -> Answer:
    """What the annotators say together."""
    truths = [annotation for annotation in annotations if annotation.truth]
    counted = truths or annotations
    read = _choice if kind == "choices" else _points
    answers = [read([value for _, value in each.results.get(control, ())]) for each in counted]
    if len(set(answers)) == 1:
        return answers[0]
    for answer in answers:
        if answer.problem and answer is not _NOTHING:
            return answer
    who: dict[Answer, str] = {}
    for answer, annotation in zip(answers, counted, strict=True):
        who.setdefault(answer, annotation.annotator or "unknown")
    if kind == "choices":
        said = [f"{answer.label or 'nothing'!r} (annotator {name})" for answer, name in who.items()]
    else:
        said = [f"annotator {name}" for name in who.values()]
    what = "annotators disagree" if kind == "choices" else "annotators set different points"
    return Answer(problem=f"{what}: {listed(said)}")


def _choice(values: list[Any]) -> Answer:
    """The one choice of an annotation."""
    chosen = [choice for value in values for choice in _list(value, "choices")]
    if not chosen:
        return _NOTHING
    if len(chosen) > 1:
        return Answer(problem=f"several choices: {listed([str(choice) for choice in chosen])}")
    if not isinstance(chosen[0], str) or not chosen[0].strip():
        return Answer(problem="the choice is empty")
    return Answer(label=chosen[0])


def _points(values: list[Any]) -> Answer:
    """The points of an annotation."""
    if not values:
        return _NOTHING
    found: dict[str, tuple[str, float, float]] = {}
    for value in values:
        names = _list(value, "keypointlabels")
        if len(names) != 1:
            return Answer(problem=f"a point has {len(names)} names: {listed([str(name) for name in names])}")
        name = str(names[0])
        if name in found:
            return Answer(problem=f"the point {name!r} is set twice")
        if value.get("image_rotation"):
            return Answer(problem=f"the picture was turned by {value['image_rotation']}° for labelling")
        sides = [value.get("original_width"), value.get("original_height")]
        if not all(_is_number(side) and side > 0 for side in sides):
            return Answer(problem="the export does not say how large the picture is")
        place = [value.get("x"), value.get("y")]
        if not all(_is_number(percent) for percent in place):
            return Answer(problem=f"the point {name!r} has no place: {listed([str(each) for each in place])}")
        if not all(0 <= percent <= 100 for percent in place):
            return Answer(problem=f"the point {name!r} lies outside of the picture")
        x, y = (percent / 100 * side for percent, side in zip(place, sides, strict=True))
        found[name] = (name, x, y)
    return Answer(points=tuple(sorted(found.values())))


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def points_of(answers: list[Answer], data: DataConfig) -> list[str]:
    """The names of the points, in order."""
    if data.classes is not None:
        return list(data.classes)
    return sorted({name for answer in answers for name, _, _ in answer.points or ()}, key=_natural)


def flattened(answers: list[Answer], names: list[str]) -> tuple[list[list[float] | None], list[str | None]]:
    """Column keypoints, and the problem of each row with a point of another name."""
    place = {name: 3 * number for number, name in enumerate(names)}
    column: list[list[float] | None] = []
    problems: list[str | None] = []
    for answer in answers:
        foreign = [name for name, _, _ in answer.points or () if name not in place]
        problems.append(f"{listed(foreign)} among its points is none of data.classes" if foreign else None)
        if answer.points is None or foreign:
            column.append(None)
            continue
        flat = [0.0] * (3 * len(names))
        for name, x, y in answer.points:
            flat[place[name] : place[name] + 3] = (x, y, _SEEN)
        column.append(flat)
    return column, problems


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts numbers in names as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part]
