"""Made-up annotations in COCO's format: two images with one instance each, one image in a folder."""

import json
from pathlib import Path
from typing import Any

from convoy.config.data import DataConfig
from tests.data.pictures import encoded, noise

DATA = DataConfig(source="coco_keypoints", path="toy", table="annotations/points.json", group_col="person")
ARCHIVES = True
POINTS = ["nose", "left eye", "right eye"]


def content() -> dict[str, Any]:
    """Pictures are 16 wide and 12 high."""
    return {
        "info": {"description": "made up"},
        "images": [
            {"id": 7, "file_name": "猫 1.png", "width": 16, "height": 12, "person": "ann"},
            {"id": 3, "file_name": "more/2.png", "width": 16, "height": 12, "person": "bob"},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 1, "keypoints": [1, 2, 2, 3.5, 4, 1, 0, 0, 0],
             "num_keypoints": 2, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 1, "keypoints": [16, 12, 2, 0, 0, 2, 5, 6, 2],
             "num_keypoints": 3, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "face", "keypoints": POINTS, "skeleton": [[1, 2]]}],
    }  # fmt: skip


def write(root: Path) -> None:
    write_content(root, content())


def write_content(root: Path, what: Any) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    (root / "more").mkdir(exist_ok=True)
    (root / "猫 1.png").write_bytes(encoded(noise(1)))
    (root / "more" / "2.png").write_bytes(encoded(noise(2)))
    (root / "more" / "3.png").write_bytes(encoded(noise(3)))
    (root / "annotations" / "points.json").write_text(
        what if isinstance(what, str) else json.dumps(what), encoding="utf-8"
    )
