"""Pictures at several depths, and a file that is none."""

from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import write_folder

DATA = DataConfig(source="pictures", path="toy")
ARCHIVES = True


def write(root: Path) -> None:
    write_folder(root, {"2025 春": 4, "2026/may": 3})
    (root / "2026" / "notes.txt").write_text("no picture", encoding="utf-8")
