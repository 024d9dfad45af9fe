"""A Hugging Face imagefolder with a CSV in one split and JSON lines in the other."""

import json
from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import encoded, noise

DATA = DataConfig(source="hf_imagefolder", path="toy")
ARCHIVES = True


def write(root: Path) -> None:
    for seed, name in enumerate(["train/a.png", "train/deep/猫.png", "validation/a.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(noise(seed)))
    rows = "file_name,label\na.png,dog\ndeep/猫.png,猫\n"
    (root / "train/metadata.csv").write_text(rows, encoding="utf-8")
    line = json.dumps({"file_name": "a.png", "label": "dog", "more": [1, 2]})
    (root / "validation/metadata.jsonl").write_text(line + "\n", encoding="utf-8")
