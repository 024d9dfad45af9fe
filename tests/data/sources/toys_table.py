"""A table with splits, groups and times, one picture in two rows, and pictures in a folder with blanks."""

from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import encoded, noise

DATA = DataConfig(
    source="table",
    path="toy",
    table="labels.csv",
    image_col="picture",
    target="kind",
    group_col="animal",
    split_col="side",
    time_col="taken",
)
ARCHIVES = True

_ROWS = """picture,kind,animal,side,taken
my pictures/猫 1.png,猫,mimi,train,2024-01-02
my pictures/2.png,dog,rex,train,2024-01-03 10:00
my pictures/3.png,dog,rex,Test,2024-01-04T10:00:01
my pictures/猫 1.png,猫,mimi,train,2024-01-05
"""


def write(root: Path) -> None:
    (root / "my pictures").mkdir()
    for seed, name in enumerate(["猫 1.png", "2.png", "3.png", "not in the table.png"]):
        (root / "my pictures" / name).write_bytes(encoded(noise(seed)))
    (root / "labels.csv").write_text(_ROWS, encoding="utf-8")
