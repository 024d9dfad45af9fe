"""Keypoints in COCO's format (`data.table`: a JSON file of annotations) beside the pictures.

https://cocodataset.org/#format-data, "Keypoint Detection". An image is one sample, and it must show exactly
one instance: an image with none or several gets a `problem`, for there is no way to tell which one a model
should find. Annotations with `iscrowd` do not count. Points are pixels of the picture; those that are not
labelled (visibility 0) have the place 0, 0. `num_keypoints` is compared and not needed.

`data.group_col` and `data.time_col` name a field of the images, or else of the annotations.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.files import open_place
from convoy.data.sources import _json_file, _labels, _pictures, _rows, _times
from convoy.data.sources._base import Reader, Scan, listed
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder or the archive of the pictures and the annotations"
_MEND = "mend the file, or export it again"
_EXAMPLES = 20
_ID = (int, float, str)
_HUGE = 1 << 1000
Entry = dict[str, Any]
Problems = list[str | None]


@dataclass(frozen=True)
class _Content:
    """The lists of the file, checked for what concerns the whole: ids and what they point to."""

    images: list[Entry]
    annotations: list[Entry]  # without crowds, of categories with keypoints
    points: list[str]


@_json_file.collector_paused()
def scan(root: Path, data: DataConfig) -> Scan:
    """The images, in the order of the file.

    Raises:
        DataError: the file is missing, damaged, or not in this format; ids that are there twice or point to
            nothing; categories with different points; a field that is asked for and is not there.
    """
    files = open_place(root, _FIX)
    table = str(data.table)
    content = _read(_json_file.load(files, table), table)
    names = [name for name in files.names() if name != table]
    paths, missing = _located(content.images, names, table, files.place)
    instances, counts = _instances(content)
    keypoints, wrong = _keypoints(content, instances)
    problems = [missing, counts, wrong]
    origins = [f"{table}:image {image['id']}" for image in content.images]
    columns: dict[str, Any] = {
        "path": _labels.column(_pictures.distinct(paths)),
        "target": _labels.column([None] * len(paths)),
        "split": _labels.column([None] * len(paths)),
    }
    notes = [*files.notes, *_miscounted(content.annotations)]
    if data.group_col is not None:
        columns["group"] = _labels.column(_field(data.group_col, content, instances, table))
    if data.time_col is not None:
        times, unread, said = _times.uniform(_field(data.time_col, content, instances, table))
        columns["time"] = pd.Series(times, dtype=object)
        problems.append(unread.tolist())
        notes += said
    columns |= {"keypoints": pd.Series(keypoints, dtype=object), "origin": _labels.column(origins)}
    joined = ["; ".join(said for said in row if said) for row in zip(*problems, strict=True)]
    if any(joined):
        columns["problem"] = _labels.column(
            [f"{origin}: {said}" if said else None for origin, said in zip(origins, joined, strict=True)]
        )
    ignored = sorted({*names, *files.hidden()} - set(paths))
    return Scan(pd.DataFrame(columns), [], ignored, notes, "keypoints", content.points)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files."""
    return _rows.reader(open_place(root, _FIX))


def _read(content: Any, where: str) -> _Content:
    """The lists of the file."""
    if not isinstance(content, dict):
        raise DataError("this is no COCO file: it is no object", where=where, fix=_MEND)
    images, annotations, categories = (
        _entries(content, key, where) for key in ("images", "annotations", "categories")
    )
    if not images:
        raise DataError("the file lists no images", where=where, fix=_MEND)
    if nameless := [image["id"] for image in images if not isinstance(image.get("file_name"), str)]:
        raise _many("images have no file_name", nameless, where)
    known = {image["id"] for image in images}
    if lost := [each["id"] for each in annotations if not _points_to(each, "image_id", known)]:
        raise _many("annotations are of images that the file does not list", lost, where)
    named = {each["id"]: each for each in categories}
    if lost := [each["id"] for each in annotations if not _points_to(each, "category_id", named)]:
        raise _many("annotations are of categories that the file does not list", lost, where)
    used = {each["category_id"] for each in annotations if "keypoints" in each} or set(named)
    kinds = {key: named[key]["keypoints"] for key in named if key in used and named[key].get("keypoints")}
    if not kinds:
        raise DataError(
            "no category has keypoints",
            where=where,
            fix='a category must list the points\' names: {"keypoints": ["nose", …]}',
        )
    points = next(iter(kinds.values()))
    if not isinstance(points, list) or len({str(point) for point in points}) < len(points):
        raise DataError("the points of a category are no list of different names", where=where, fix=_MEND)
    if any(other != points for other in kinds.values()):
        raise DataError(
            f"the categories {listed([str(named[key].get('name', key)) for key in kinds])} have other points",
            where=where,
            fix="keep the annotations of one category, or of categories with the same points",
        )
    counted = [each for each in annotations if each["category_id"] in kinds and not each.get("iscrowd")]
    return _Content(images, counted, [str(point) for point in points])


def _points_to(entry: Entry, key: str, known: Container[Any]) -> bool:
    return isinstance(entry.get(key), _ID) and entry[key] in known


def _entries(content: dict[str, Any], key: str, where: str) -> list[Entry]:
    """One of the lists, its entries being objects with different ids."""
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DataError(f"this is no COCO file: it has no list {key!r} of objects", where=where, fix=_MEND)
    ids = [each.get("id") for each in found]
    if not all(isinstance(each, _ID) for each in ids):
        place = next(number for number, each in enumerate(ids) if not isinstance(each, _ID))
        raise DataError(f"entry {place + 1} of {key!r} has no id", where=where, fix=_MEND)
    if len(set(ids)) < len(ids):
        raise _many(
            f"ids of {key} stand there twice", [each for each, n in Counter(ids).items() if n > 1], where
        )
    return found


def _many(what: str, ids: Sequence[Any], where: str) -> DataError:
    return DataError(
        f"{len(ids)} {what}: {listed([str(each) for each in ids], _EXAMPLES)}", where=where, fix=_MEND
    )


def _located(images: list[Entry], names: list[str], table: str, place: str) -> tuple[list[str], Problems]:
    """The path of each image's file, one made up where there is none; and what is wrong with it.

    A file name is a path from the data folder, or from any folder in it if only one file fits.
    """
    pictures = _pictures.Pictures(names)
    found: list[str | None] = []
    problems: Problems = []
    for image in images:
        wanted = image["file_name"].strip().replace("\\", "/").removeprefix("./")
        path, problem = pictures.exact(wanted), None
        if path is None:
            parts = wanted.split("/")
            fitting = [name for name in pictures.ending(parts) if name.split("/")[-len(parts) :] == parts]
            path = fitting[0] if len(fitting) == 1 else None
            if path is None:
                problem = _pictures.several(fitting) if fitting else f"there is no file {wanted!r}"
        found.append(path)
        problems.append(problem)
    references = [image["file_name"] for image in images]
    _pictures.refuse_strangers(found, references, table, place)
    made_up = (f"no file/image {image['id']}" for image in images)
    return [path or other for path, other in zip(found, made_up, strict=True)], problems


def _instances(content: _Content) -> tuple[list[int | None], Problems]:
    """The number of each image's one annotation, and the problem where there are none or several."""
    of_image: dict[Any, list[int]] = {image["id"]: [] for image in content.images}
    for number, annotation in enumerate(content.annotations):
        of_image[annotation["image_id"]].append(number)
    found = [of_image[image["id"]] for image in content.images]
    return (
        [numbers[0] if len(numbers) == 1 else None for numbers in found],
        [None if len(numbers) == 1 else f"it shows {len(numbers) or 'no'} instances" for numbers in found],
    )


def _keypoints(content: _Content, instances: list[int | None]) -> tuple[list[list[float] | None], Problems]:
    """Column keypoints, and what is wrong with each."""
    width = 3 * len(content.points)
    result: list[list[float] | None] = [None] * len(instances)
    problems: Problems = [None] * len(instances)
    rows, values = [], []
    for row, number in enumerate(instances):
        if number is None:
            continue
        found = content.annotations[number].get("keypoints")
        if not isinstance(found, list) or len(found) != width:
            length = f"{len(found)} numbers" if isinstance(found, list) else "no list"
            problems[row] = f"its keypoints are {length}, not {width} for {len(content.points)} points"
        else:
            rows.append(row)
            values.append(found)
    flat, numeric = _numbers(values, width)
    sides = np.array(
        [[_side(content.images[row], side) for side in ("width", "height")] for row in rows], float
    ).reshape(-1, 2)
    for at, row in enumerate(rows):
        if not numeric[at]:
            problems[row] = "a number among its keypoints is none"
    said = _judged(flat, sides, content.points)
    flat[flat[:, :, 2] == 0] = 0.0
    for at, row in enumerate(rows):
        problems[row] = problems[row] or said.get(at)
        if problems[row] is None:
            result[row] = flat[at].reshape(-1).tolist()
    return result, problems


def _numbers(values: list[list[Any]], width: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The points (N, K, 3), and which rows (N,) hold numbers alone."""
    numeric = np.ones(len(values), bool)
    try:
        array = np.array(values) if values else np.zeros((0, width))
    except ValueError:  # lists among them
        array = np.zeros(0)
    if array.dtype.kind not in "if" or array.ndim != 2:
        numeric[:] = [all(_is_number(each) for each in row) for row in values]
        sound = [row if good else [0] * width for row, good in zip(values, numeric, strict=True)]
        array = np.array(sound, dtype=np.float64)
    return array.astype(np.float64).reshape(len(values), width // 3, 3), numeric


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; NaN and infinity are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < _HUGE


def _side(image: Entry, side: str) -> float:
    """Width or height of an image; infinite where the file does not tell it."""
    found: Any = image.get(side)
    return float(found) if _is_number(found) and found > 0 else np.inf


def _judged(flat: NDArray[np.float64], sides: NDArray[np.float64], names: list[str]) -> dict[int, str]:
    """What is wrong with points (N, K, 3) of pictures (N, 2) of these widths and heights, by row."""
    visibility = flat[:, :, 2]
    labelled = visibility != 0
    places = flat[:, :, :2]
    with np.errstate(invalid="ignore"):
        faults = {
            "has no visibility of 0, 1 or 2": ~np.isin(visibility, (0, 1, 2)),
            "has a place that is not finite": labelled & ~np.isfinite(places).all(axis=2),
            "lies outside of the picture": labelled
            & ((places < 0) | (places > sides[:, None, :])).any(axis=2),
        }
    said: dict[int, str] = {}
    for what, wrong in faults.items():
        for row in np.flatnonzero(wrong.any(axis=1)).tolist():
            first = names[int(wrong[row].argmax())]
            said.setdefault(
                row, f"the point {first!r} {what} ({int(wrong[row].sum())} of {len(names)} points)"
            )
    for row in np.flatnonzero(~labelled.any(axis=1)).tolist():
        said.setdefault(row, "none of its points is labelled")
    return said


def _miscounted(annotations: list[Entry]) -> list[str]:
    """A note where `num_keypoints` is not the number of labelled points."""
    wrong = [
        str(each["id"])
        for each in annotations
        if isinstance(each.get("num_keypoints"), int)
        and isinstance(each.get("keypoints"), list)
        and each["num_keypoints"] != sum(1 for value in each["keypoints"][2::3] if value)
    ]
    if not wrong:
        return []
    return [
        f"num_keypoints is not the number of labelled points in {len(wrong)} annotations: {listed(wrong)}"
    ]


def _field(name: str, content: _Content, instances: list[int | None], where: str) -> list[str | None]:
    """A field of each image or else of its annotation, as text."""
    if any(name in image for image in content.images):
        found = [image.get(name) for image in content.images]
    elif any(name in each for each in content.annotations):
        found = [None if at is None else content.annotations[at].get(name) for at in instances]
    else:
        there = sorted({key for each in (*content.images, *content.annotations) for key in each})
        raise DataError(
            f"neither images nor annotations have a field {name!r}; there are: {listed(there, _EXAMPLES)}",
            where=where,
            fix="name one of these fields in section data of params.yaml",
        )
    return [str(each) if isinstance(each, str | int | float) and each != "" else None for each in found]
