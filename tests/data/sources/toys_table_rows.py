"""Two plain files without headers: a comment, blanks around values, `?` for what is missing, equal rows."""

from pathlib import Path

from convoy.config.data import DataConfig
from convoy.config.tables import TableLayout

DATA = DataConfig(
    modality="table",
    source="table_rows",
    path="data",
    tables={"train": "people.data", "test": "people.test"},
    target="income",
    id_col="key",
    columns={"weight": "ignore"},
    layout=TableLayout(
        header=["key", "age", "work", "weight", "income"], comment="|", missing=["?"], strip_label="."
    ),
)
ARCHIVES = True


def write(root: Path) -> None:
    (root / "people.data").write_text(
        'a, 39, State, 77516, <=50K\nb, ?, "Own, small", 83311, >50K\nc, 39, State, 1, >50K\n',
        encoding="utf-8",
    )
    (root / "people.test").write_text("|1x3 Cross validator\nd, 39, State, 2, <=50K.\n\n", encoding="utf-8")
