"""Two files of two channels: different lengths, a missing value, a comment, a Windows line end."""

from pathlib import Path

from convoy.config.data import DataConfig

DATA = DataConfig(modality="sequence", source="sequence_ts", path="data")
ARCHIVES = True
HEADER = "@problemName Toy\n@timeStamps false\n@univariate false\n@classLabel true yes no\n@data\n"


def write(root: Path) -> None:
    train = f"# toy\n{HEADER}1,2,3:4,5,?:yes\r\n# more\n1.5,2:3,4:no\n7,8,9:1,1,1:yes\n"
    (root / "Toy_TRAIN.ts").write_text(train, encoding="utf-8")
    (root / "Toy_TEST.ts").write_text(f"{HEADER}0,1:1,0:no\n", encoding="utf-8")
    (root / "notes.md").write_bytes(b"not data")
