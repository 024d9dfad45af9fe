"""Exports of Label Studio that are written and scanned."""

from pathlib import Path
from typing import Any

from convoy.config.data import DataConfig
from convoy.data.sources import label_studio
from convoy.data.sources._base import Scan
from tests.data.pictures import encoded, noise
from tests.data.sources.toys_label_studio import write_export


def data(form: str = "json", **options: Any) -> DataConfig:
    table = "export.json" if form.startswith("json") else f"export.{form}"
    return DataConfig.model_validate({"source": "label_studio", "path": "toy", "table": table, **options})


def pictures(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(noise(seed), "JPEG"))


def scanned(root: Path, tasks: Any, form: str = "json", **options: Any) -> Scan:
    write_export(root, tasks, form)
    return label_studio.scan(root, data(form, **options))
