"""Lines of questions in two files, one with a blank line and a Windows line end."""

from pathlib import Path

from convoy.config.data import DataConfig

DATA = DataConfig(
    modality="text", source="text_lines", path="data", lines={"train": "some/train.txt", "test": "test.txt"}
)
ARCHIVES = True


def write(root: Path) -> None:
    (root / "some").mkdir()
    (root / "some" / "train.txt").write_bytes(
        "0 Who wrote it ?\n1 How far is 北京 ?\r\n\n0 Who\u2028sang ?\n".encode()
    )
    (root / "test.txt").write_bytes(b"1\tHow tall is he ?")
    (root / "notes.md").write_bytes(b"not data")
