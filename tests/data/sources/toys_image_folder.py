"""Class folders with a Chinese name, a deeper folder, an empty class and a file that is no picture."""

from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import write_folder

DATA = DataConfig(source="image_folder", path="toy")
ARCHIVES = True


def write(root: Path) -> None:
    write_folder(root, {"猫 cat": 4, "dog/deep er": 3, "leer": 0})
    (root / "dog" / "notes.txt").write_text("no picture", encoding="utf-8")
