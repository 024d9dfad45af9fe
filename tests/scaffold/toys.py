"""Data to make projects of."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tests.data.pictures import write_folder

ROWS = {"猫": 4, "dog": 4}


def class_folders(root: Path) -> Path:
    """Pictures of noise, 16 wide and 12 high: 猫/000.png …, dog/000.png …"""
    root.mkdir(parents=True, exist_ok=True)
    return write_folder(root, ROWS)


def pictures(root: Path) -> list[Path]:
    return sorted(root.rglob("*.png"))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], mark: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter=mark)
        writer.writerows([header, *rows])
    return path


def table_of(root: Path, path: Path, base: Path | None = None) -> Path:
    """A CSV (number, file, kind) of class folders; paths relative to `base`, or absolute."""
    named = [str(picture.relative_to(base) if base else picture) for picture in pictures(root)]
    rows = [[str(n), name, Path(name).parent.name] for n, name in enumerate(named)]
    return write_csv(path, ["number", "file", "kind"], rows)
