"""A table of reviews, one of them with a line end and a comma inside."""

from pathlib import Path

from convoy.config.data import DataConfig

DATA = DataConfig(
    modality="text",
    source="text_table",
    path="data",
    table="reviews.csv",
    text_col="review",
    target="label",
    split_col="split",
)
ARCHIVES = True


def write(root: Path) -> None:
    (root / "reviews.csv").write_bytes(
        'label,review,split\n1,很快，好吃,train\n0,"slow, cold\nand late",train\n1,fine,test\n'.encode()
    )
