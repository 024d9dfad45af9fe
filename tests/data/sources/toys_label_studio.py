"""Made-up exports of Label Studio: choices and keypoints, in the three forms, with their pictures."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convoy.config.data import DataConfig
from tests.data.pictures import encoded, noise

DATA = DataConfig(source="label_studio", path="toy", table="export.json")
ARCHIVES = True
Json = dict[str, Any]


def write(root: Path) -> None:
    upload = root / "media" / "upload" / "7"
    upload.mkdir(parents=True)
    for seed, name in enumerate(["0a1b2c3d-猫.jpg", "1b2c3d4e-dog one.jpg", "2c3d4e5f-more.jpg"]):
        (upload / name).write_bytes(encoded(noise(seed), "JPEG"))
    tasks = [
        task(11, "/data/upload/7/0a1b2c3d-%E7%8C%AB.jpg", [annotation(choice("猫"), by=1)]),
        task(
            12, "/data/upload/7/1b2c3d4e-dog one.jpg", [annotation(choice("dog"), by={"id": 2, "email": "x"})]
        ),
        task(13, "/data/upload/7/2c3d4e5f-more.jpg", []),
    ]
    write_export(root, tasks)


def task(number: int, picture: Any, annotations: Sequence[Json], **data: Any) -> Json:
    """A task as in the form JSON, with what Label Studio puts around it."""
    guess = {"model_version": "m", "result": [choice("a wrong guess")]}
    return {
        "id": number,
        "annotations": list(annotations),
        "drafts": [annotation(choice("a draft"))],
        "predictions": [guess],
        "file_upload": str(picture).rpartition("/")[2],
        "data": {"image": picture, **data},
        "meta": {},
        "created_at": "2024-01-01T00:00:00Z",
        "project": 7,
    }


def annotation(*results: Json, by: Any = 1, **facts: Any) -> Json:
    return {
        "id": 900,
        "completed_by": by,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": 3.2,
        **facts,
    }


def choice(*names: Any, control: str = "kind") -> Json:
    return {
        "id": "abc",
        "type": "choices",
        "value": {"choices": list(names)},
        "origin": "manual",
        "to_name": "image",
        "from_name": control,
    }


def point(name: str, x: Any, y: Any, control: str = "kp", **facts: Any) -> Json:
    """A point at percent of a picture of 200 by 80 pixels."""
    return {
        "id": "def",
        "type": "keypointlabels",
        "value": {"x": x, "y": y, "width": 0.3, "keypointlabels": [name]},
        "origin": "manual",
        "to_name": "image",
        "from_name": control,
        "image_rotation": 0,
        "original_width": 200,
        "original_height": 80,
        **facts,
    }


def write_export(root: Path, tasks: Any, form: str = "json") -> None:
    """The export of tasks: json, json_min (export.json), csv or tsv (export.<form>)."""
    if form == "json":
        text = tasks if isinstance(tasks, str) else json.dumps(tasks, ensure_ascii=False)
        (root / "export.json").write_text(text, encoding="utf-8")
    elif form == "json_min":
        short = [entry for each in tasks for entry in _short(each)]
        (root / "export.json").write_text(json.dumps(short, ensure_ascii=False), encoding="utf-8")
    else:
        short = [entry for each in tasks for entry in _short(each)]
        columns = sorted({key for entry in short for key in entry})
        buffer = io.StringIO()
        writer = csv.DictWriter(
            buffer, columns, quoting=csv.QUOTE_NONNUMERIC, delimiter="\t" if form == "tsv" else ","
        )
        writer.writeheader()
        for entry in short:
            cells = {
                key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
                for key, value in entry.items()
            }
            writer.writerow(cells)
        (root / f"export.{form}").write_text(buffer.getvalue(), encoding="utf-8")


def _short(task: Json) -> list[Json]:
    """The entries of the short forms, as label_studio_sdk's `convert_to_json_min` makes them."""
    kept = [each for each in task["annotations"] if not each["was_cancelled"]]
    if task["annotations"] and not kept:
        return []
    entries = []
    for each in kept or [{"completed_by": {}, "result": [], "id": None}]:
        values: dict[str, list[Any]] = {}
        for result in each["result"]:
            sizes = {key: result[key] for key in ("original_width", "original_height") if key in result}
            kind, value = result["type"], result["value"]
            single = kind == "choices" and len(value["choices"]) == 1
            values.setdefault(result["from_name"], []).append(
                value["choices"][0] if single else {**value, **sizes}
            )
        outputs = {
            control: found[0] if len(found) == 1 and not _is_point(found[0]) else found
            for control, found in values.items()
        }
        who = each["completed_by"]
        entries.append(
            {
                **task["data"],
                "id": task["id"],
                **outputs,
                "annotator": who.get("email") if isinstance(who, dict) else who,
                "annotation_id": each["id"],
                "created_at": "2024-01-01T00:00:00Z",
                "updated_at": "2024-01-01T00:00:00Z",
                "lead_time": 3.2,
            }
        )
    return entries


def _is_point(value: Any) -> bool:
    return isinstance(value, dict) and "keypointlabels" in value
