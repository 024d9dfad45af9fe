"""Bad tables: what is wrong is found by name, and nothing is guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy.config.data import DataConfig, ValidateConfig
from convoy.errors import DataError
from convoy.stages.ingest import ingest
from convoy.stages.validate import validate
from tests.data.modalities.table import toys

GATE = ValidateConfig(max_bad_fraction=0.5, max_pixels=1000, min_per_class=3)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(root: Path, table: pd.DataFrame, data: DataConfig = toys.DATA) -> pd.DataFrame:
    (root / "raw").mkdir()
    table.to_csv(root / "raw" / "flats.csv", index=False)
    ingest(data, out=root / "ingest", corrections=root / "none.csv")
    validate(root / "ingest", data, GATE, out=root / "validate", base=root)
    return pd.read_parquet(root / "validate" / "findings.parquet")


def with_cells(**changes: dict[int, str]) -> pd.DataFrame:
    table = toys.table(120)
    for name, values in changes.items():
        for row, value in values.items():
            table.loc[row, name] = value
    return table


def test_sound_rows_have_no_finding_and_the_report_describes_the_columns(root: Path) -> None:
    assert checked(root, toys.table(120)).empty
    page = (root / "validate" / "report.html").read_text(encoding="utf-8")
    assert "number, 1 to 5" in page or "number, 1 to 6" in page
    assert "category, " in page
    assert "date, 19" in page


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("size", "1,234", "flats.csv:9 (F0007): column 'size' (number): '1,234' has a comma"),
        ("size", "3,5", "flats.csv:9 (F0007): column 'size' (number): '3,5' has a comma"),
        ("rooms", "many", "flats.csv:9 (F0007): column 'rooms' (number): 'many' is no number"),
        ("built", "2999-01-01", "flats.csv:9 (F0007): column 'built' (date): '2999-01-01' is out of range"),
        ("built", "2001-02-31", "flats.csv:9 (F0007): column 'built' (date): '2001-02-31' is no date"),
    ],
)
def test_a_bad_cell_leaves_its_row_out_by_name(root: Path, column: str, value: str, said: str) -> None:
    [found] = checked(root, with_cells(**{column: {7: value}})).to_dict("records")
    assert (found["check"], found["policy"], found["path"]) == ("values", "quarantine", "flats.csv#9")
    assert found["detail"].startswith(said)


def test_numbers_with_commas_all_over_stop_the_run(root: Path) -> None:
    table = toys.table(120)
    table["size"] = [value.replace(".", ",") for value in table["size"]]
    with pytest.raises(DataError, match="has a comma or several points"):
        checked(root, table)


def test_a_missing_label_leaves_its_row_out(root: Path) -> None:
    [found] = checked(root, with_cells(price={3: ""})).to_dict("records")
    assert (found["check"], found["detail"]) == ("labels", "flats.csv:5 (F0003): the label is missing")


def reasons(found: pd.DataFrame) -> dict[str, str]:
    return dict(zip(found["reason"], found["detail"], strict=True))


def test_columns_that_teach_nothing_or_too_much_are_told(root: Path) -> None:
    random = np.random.default_rng(1)
    table = toys.table(120)
    table.insert(1, "country", "DE")
    table.insert(1, "nothing", "")
    table.insert(1, "number", [str(n) for n in range(1, 121)])
    table.insert(1, "notes", np.where(random.random(120) < 0.6, "", "nice"))
    table.insert(1, "sold", table["price"])
    table.insert(1, "tax", np.where(table["price"] == "dear", "1", "0"))
    found = checked(root, table)
    assert set(found["policy"]) == {"warn"}
    details = " | ".join(found["detail"])
    for said in (
        "column 'country' is 'DE' in every row",
        "column 'nothing' is empty",
        "column 'number' seems to name the rows",
        "column 'notes' is missing in",
        "column 'sold' equals the label: it leaks the answer",
        "column 'tax' alone tells the label of 100.0% of the rows",
    ):
        assert said in details
    assert "'size'" not in details


def test_the_key_is_told_where_nobody_said_that_it_is_one(root: Path) -> None:
    found = checked(root, toys.table(120), toys.DATA.model_copy(update={"id_col": None}))
    assert "set data.id_col: key" in reasons(found)["identifier"]


def test_equal_rows_are_told_kept_and_kept_together(root: Path) -> None:
    table = toys.table(120)
    table = pd.concat([table, table.iloc[:2].assign(key=["again", "twice"])])
    found = checked(root, table)
    assert reasons(found)["near duplicate"] == "nearly the same row as flats.csv#3"
    samples = pd.read_parquet(root / "validate" / "samples.parquet")
    assert len(samples) == 122
    assert samples["id"].is_unique
    assert samples["twins"].notna().sum() == 4


def test_equal_rows_in_two_given_splits_are_refused_unless_somebody_says_otherwise(root: Path) -> None:
    table = toys.table(120)
    table["side"] = np.where(np.arange(120) < 90, "train", "test")
    table = pd.concat([table, table.iloc[:1].assign(key="again", side="test")])
    data: Any = toys.DATA.model_copy(update={"split_col": "side"})
    with pytest.raises(DataError, match="leakage: 1 sample"):
        checked(root, table, data)


def test_categories_of_the_test_split_alone_are_told(root: Path) -> None:
    table = toys.table(120)
    table["side"] = np.where(np.arange(120) < 90, "train", "test")
    table.loc[100:102, "town"] = "Trier"
    data: Any = toys.DATA.model_copy(update={"split_col": "side"})
    assert "'Trier' (3)" in reasons(checked(root, table, data))["unseen"]
