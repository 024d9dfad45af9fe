"""Exports of Label Studio, in the three forms that it offers, read into one.

    JSON      a list of tasks: data, annotations (formerly completions), each with results of controls
    JSON_MIN  a list of objects, one an annotation: the task's data and the controls' values side by side
    CSV, TSV  the same in a table; what is no text is JSON in its cell

https://labelstud.io/guide/export ("Label Studio JSON format of annotated tasks"); what the short forms keep
is in `prettify_result` of label_studio_sdk/converter/utils.py. Predictions and drafts are not looked at.
"""

import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convoy.data.files import Files
from convoy.data.sources import _json_file, _pictures, _references, _tables
from convoy.data.sources._base import listed
from convoy.errors import DataError

# What the short forms put beside the task's data and the controls.
_ABOUT = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history"}
_TABLES = (".csv", ".tsv")
_SAMPLE = 1000  # tasks that are looked at to find the field of the picture
KINDS = ("choices", "keypointlabels")


@dataclass
class Annotation:
    """What one annotator said of one task.

    Attributes:
        annotator: as the export names them; empty where it does not.
        results: by control: kind ("choices", "keypointlabels", …) and value of each result. A value has what
            Label Studio's `value` has, and `original_width`, `original_height`, `image_rotation` where the
            export tells of them.
        truth: it is marked as ground truth.
    """

    annotator: str
    results: dict[str, list[tuple[str, Mapping[str, Any]]]]
    truth: bool = False


@dataclass
class Task:
    """One picture to label.

    Attributes:
        name: for messages: "task 17".
        data: the task's own fields; of the short forms the controls, too.
        annotations: those that were neither cancelled nor skipped.
    """

    name: str
    data: Mapping[str, Any]
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(frozen=True)
class Export:
    """An export.

    Attributes:
        tasks: in the order of the file.
        short: it is JSON_MIN or CSV, where the task's data and the controls cannot be told apart.
        notes: sentences for the user.
    """

    tasks: list[Task]
    short: bool
    notes: list[str]

    def picture_field(self, where: str) -> str:
        """The field of the tasks' data that names pictures.

        Raises:
            DataError: there is none, or there are several and none is called `image`.
        """
        found: Counter[str] = Counter()
        for task in self.tasks[:_SAMPLE]:
            found.update(key for key, value in task.data.items() if _is_picture(value))
        if len(found) == 1:
            return next(iter(found))
        if "image" in found:
            return "image"
        if not found:
            raise DataError(
                "no field of the tasks names pictures",
                where=where,
                fix="the tasks' data must have a field with the path or the address of one picture",
            )
        raise DataError(
            f"several fields of the tasks name pictures: {listed(sorted(found))}",
            where=where,
            fix="call the one that was labelled `image`, or remove the others",
        )


def read(files: Files, name: str) -> Export:
    """The export in a file.

    Raises:
        DataError: there is no such file, or it is none of these forms; with line and column where they are
            known.
    """
    if posixpath.splitext(name)[1].lower() in _TABLES:
        return _from_table(files, name)
    return _from_json(_json_file.load(files, name), name)


def _from_json(content: Any, name: str) -> Export:
    """An export in the forms JSON and JSON_MIN."""
    entries = [content] if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _no_export(name, "it is no list of objects")
    if not entries:
        raise _no_export(name, "it holds no tasks")
    long = [isinstance(entry.get("data"), dict) for entry in entries]
    if all(long):
        return Export([_task(entry, number, name) for number, entry in enumerate(entries)], False, [])
    if any(long):
        raise _no_export(name, f"entry {long.index(False) + 1} has no `data`, others have")
    return Export(_grouped(entries), True, [])


def _no_export(name: str, what: str) -> DataError:
    return DataError(
        f"this is no export of Label Studio: {what}",
        where=name,
        fix="export the project again as JSON, JSON-MIN or CSV",
    )


def _task(entry: dict[str, Any], number: int, name: str) -> Task:
    """A task of the form JSON."""
    task = Task(_name(entry, number), entry["data"])
    annotations = entry.get("annotations", entry.get("completions")) or []
    if not isinstance(annotations, list):
        raise _no_export(name, f"the annotations of {task.name} are no list")
    for annotation in annotations:
        if not isinstance(annotation, dict):
            raise _no_export(name, f"an annotation of {task.name} is no object")
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            continue
        results: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        if not isinstance(given := annotation.get("result") or [], list):
            raise _no_export(name, f"the results of an annotation of {task.name} are no list")
        for result in given:
            if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
                continue  # a relation between regions
            about = {key: result[key] for key in _references.SIZES if key in result}
            kind, control = str(result.get("type")).lower(), str(result.get("from_name"))
            results.setdefault(control, []).append((kind, {**result["value"], **about}))
        truth = bool(annotation.get("ground_truth"))
        task.annotations.append(Annotation(_annotator(annotation.get("completed_by")), results, truth))
    return task


def _name(entry: dict[str, Any], number: int) -> str:
    return f"entry {number + 1}" if entry.get("id") is None else f"task {entry['id']}"


def _annotator(who: Any) -> str:
    """An annotator as the export names them: a number, an address, or an object with both."""
    if isinstance(who, dict):
        who = who.get("id", who.get("email"))
    return "" if who is None else str(who)


def _from_table(files: Files, name: str) -> Export:
    _json_file.present(files, name)
    columns = _tables.header(files, name)
    table = _tables.read(files, name, columns)
    if not table.lines:
        raise _no_export(name, "it holds no tasks")
    cells = ([_cell(cell) for cell in table.columns[column]] for column in columns)
    entries = [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]
    return Export(_grouped(entries), True, list(table.notes))


def _cell(text: str | None) -> Any:
    """What a cell holds: JSON where it looks like an object or a list, else its text; None: nothing."""
    if text and text[0] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text or None


def _grouped(entries: Iterable[dict[str, Any]]) -> list[Task]:
    """Tasks of the short forms: entries of one id, or without ids of one position, are one task."""
    tasks: dict[str, Task] = {}
    for number, entry in enumerate(entries):
        key = _name(entry, number)
        task = tasks.setdefault(key, Task(key, entry))
        results = {
            control: found
            for control, value in entry.items()
            if control not in _ABOUT and (found := _results(value))
        }
        if entry.get("annotation_id", "unknown") is not None:
            task.annotations.append(Annotation(_annotator(entry.get("annotator")), results))
    return list(tasks.values())


def _results(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The results that a value of the short forms stands for; a text may also be a field of the data."""
    if isinstance(value, str):
        return [("choices", {"choices": [value]})] if value else []
    found: list[tuple[str, Mapping[str, Any]]] = []
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            found.append(("choices", {"choices": [each]}))
        elif isinstance(each, dict):
            found += [(kind, each) for kind in KINDS if kind in each][:1]
    return found


def _is_picture(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = _references.parts(value)
    return bool(parts) and _pictures.looks_like_one(parts[-1])
