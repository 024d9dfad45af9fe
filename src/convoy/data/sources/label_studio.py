"""An export of Label Studio (`data.table`: JSON, JSON_MIN or CSV) beside its pictures.

`data.target` names the control with the labels; without it the one control there is, of Choices (a class a
picture) or of KeyPointLabels (points). A task is one sample:

- Cancelled and skipped annotations, predictions and drafts do not count. Of annotations that are marked as
  ground truth only these count. A task with none left is left out, and a note says so.
- Several annotators who agree are one; who do not are the sample's problem, and so are several choices.
- Points are pixels of the upright picture. Their names come in natural order (p2 before p10), or in that of
  `data.classes`. One that was not set has visibility 0, others 2: Label Studio knows no hidden points.
- Pictures are looked up by the names that the references end with (see `_references`); nothing is fetched.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.files import open_place
from convoy.data.sources import _json_file, _labels, _pictures, _references, _rows
from convoy.data.sources import _label_studio_answers as answers
from convoy.data.sources import _label_studio_export as exports
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._label_studio_answers import Answer
from convoy.data.sources._label_studio_export import Export
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder or the archive of the pictures and the export"


@_json_file.collector_paused()
def scan(root: Path, data: DataConfig) -> Scan:
    """The annotated tasks, in the order of the export.

    Raises:
        DataError: the export is missing, damaged or none, or it is open which control holds the labels.
    """
    files = open_place(root, _FIX)
    table = str(data.table)
    export = exports.read(files, table)
    tasks = [task for task in export.tasks if task.annotations]
    if not tasks:
        raise DataError("no task of the export is annotated", where=table, fix="label some pictures first")
    field = export.picture_field(table)
    control, kind = _control(export, data.target, field, table)
    names = [name for name in files.names() if name != table]
    paths, problems = _located([task.data.get(field) for task in tasks], names, table, files.place)
    given = [answers.agreed(task.annotations, control, kind) for task in tasks]
    problems = [said or answer.problem for said, answer in zip(problems, given, strict=True)]
    notes = [*files.notes, *export.notes]
    if left_out := [task.name for task in export.tasks if not task.annotations]:
        notes.append(f"{len(left_out)} tasks without an annotation are left out: {listed(left_out)}")
    keypoints: list[list[float] | None] | None = None
    points: list[str] = []
    if kind == "keypointlabels":
        points = answers.points_of(given, data)
        keypoints, foreign = answers.flattened(given, points)
        problems = [said or other for said, other in zip(problems, foreign, strict=True)]
    samples = _frame(table, [task.name for task in tasks], paths, given, problems, keypoints)
    ignored = sorted({*names, *files.hidden()} - set(paths))
    if keypoints is not None:
        return Scan(samples, [], ignored, notes, "keypoints", points)
    found = sorted({answer.label for answer in given if answer.label is not None})
    samples, classes = _labels.checked(samples, found, data)
    return Scan(samples, classes, ignored, notes)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files."""
    return _rows.reader(open_place(root, _FIX))


def _control(export: Export, target: str | None, field: str, where: str) -> tuple[str, str]:
    """The control with the labels, and its kind.

    Raises:
        DataError: there is none, or several, or the one that is asked for is missing or of another kind.
    """
    found: dict[str, Counter[str]] = {}
    for task in export.tasks:
        for annotation in task.annotations:
            for control, results in annotation.results.items():
                found.setdefault(control, Counter()).update(kind for kind, _ in results)
    kinds = {control: counts.most_common(1)[0][0] for control, counts in found.items() if control != field}
    known = ", ".join(f"{control} ({kind})" for control, kind in sorted(kinds.items())) or "none"
    if target is not None:
        if kinds.get(target) in exports.KINDS:
            return target, kinds[target]
        what = f"is of {kinds[target]}" if target in kinds else "does not occur"
        raise DataError(
            f"the control {target!r} {what}; there are: {known}",
            where=where,
            fix="set data.target to a control of choices or keypointlabels",
        )
    usable = {control: kind for control, kind in kinds.items() if kind in exports.KINDS}
    if export.short and len(usable) > 1:  # a text may be a field of the data
        points = {control: kind for control, kind in usable.items() if kind == "keypointlabels"}
        usable = points if len(points) == 1 else usable
    if len(usable) != 1:
        what = f"several may hold the labels: {listed(sorted(usable))}" if usable else f"there are: {known}"
        raise DataError(
            f"no single control of Choices or KeyPointLabels; {what}",
            where=where,
            fix="set data.target to the name of the control with the labels",
        )
    return next(iter(usable.items()))


def _located(
    references: list[Any], names: Sequence[str], table: str, place: str
) -> tuple[list[str], list[str | None]]:
    """The path of each task's picture, one made up where there is none; and what is wrong with it."""
    pictures = _pictures.Pictures(names)
    found = {each: _references.find(each, pictures) for each in references if isinstance(each, str)}
    nothing = _references.find(None, pictures)
    _pictures.refuse_strangers([path for path, _ in found.values()], references, table, place)
    meant = Counter(path for path, _ in found.values() if path is not None)
    paths: list[str] = []
    problems: list[str | None] = []
    for number, each in enumerate(references):
        path, problem = found.get(each, nothing) if isinstance(each, str) else nothing
        if path is not None and meant[path] > 1:
            problem = f"{meant[path]} different references fit the file {path}"
        paths.append(path or _made_up(each, number))
        problems.append(problem)
    return paths, problems


def _made_up(reference: Any, number: int) -> str:
    """A path for a sample without a file."""
    parts = _references.parts(reference) if isinstance(reference, str) else []
    return f"no file/{parts[-1] if parts else number + 1}"


def _frame(
    table: str,
    names: list[str],
    paths: list[str],
    given: list[Answer],
    problems: list[str | None],
    keypoints: list[list[float] | None] | None,
) -> pd.DataFrame:
    """The sample table; a problem begins with the place in the export."""
    origins = [f"{table}:{name}" for name in names]
    said = [problem and f"{origin}: {problem}" for origin, problem in zip(origins, problems, strict=True)]
    columns = {
        "path": _labels.column(_pictures.distinct(paths)),
        "target": _labels.column([answer.label for answer in given]),
        "split": _labels.column([None] * len(names)),
        "origin": _labels.column(origins),
    }
    if keypoints is not None:
        columns["keypoints"] = pd.Series(keypoints, dtype=object)
    if any(said):
        columns["problem"] = _labels.column(said)
    return pd.DataFrame(columns)
