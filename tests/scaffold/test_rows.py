"""Tables whose rows are samples: what `convoy init` takes for them."""

from pathlib import Path
from typing import Any

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError, DataError
from convoy.scaffold import project
from convoy.scaffold.columns import Wishes
from convoy.scaffold.recognise import recognise
from tests.data.modalities.table import toys


def flats(path: Path, count: int = 120) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    toys.table(count).rename(columns={"price": "class"}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_table_of_features_is_recognised_with_its_key_and_its_label(
    as_folder: bool, tmp_path: Path
) -> None:
    table = flats(tmp_path / "flats.csv")
    found = recognise(tmp_path if as_folder else table, Wishes())
    assert (found.modality, found.root) == ("table", tmp_path)
    assert found.options == {"source": "table_rows", "table": "flats.csv", "target": "class", "id_col": "key"}


def test_tables_named_by_split_belong_together(tmp_path: Path) -> None:
    flats(tmp_path / "train.csv")
    flats(tmp_path / "test.csv", 60)
    found = recognise(tmp_path, Wishes())
    assert found.options["tables"] == {"train": "train.csv", "test": "test.csv"}
    flats(tmp_path / "other.csv", 60)
    with pytest.raises(ConfigError, match="several tables"):
        recognise(tmp_path, Wishes(modality="table"))


def test_a_table_whose_pictures_are_not_there_is_no_table_of_rows(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = "".join(f"p{n}.png,{n % 3},{n % 5},{'ab'[n % 2]}\n" for n in range(30))
    table.write_text("file,x,y,label\n" + rows)
    with pytest.raises(DataError):
        recognise(table, Wishes())


def test_a_label_that_no_name_tells_is_asked_for(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("p,q,r\n" + "".join(f"{n % 3},{n % 4},{n % 5}\n" for n in range(40)))
    with pytest.raises(ConfigError, match="which column is the label") as error:
        recognise(table, Wishes(modality="table"))
    assert "--target" in str(error.value.fix)
    assert recognise(table, Wishes(modality="table", target="r")).options["target"] == "r"


def test_the_new_projects_parameters_are_sound_and_fit_the_rows(tmp_path: Path) -> None:
    table = flats(tmp_path / "data" / "flats.csv")
    made: Any = project.create(table, tmp_path / "new", wishes=Wishes())
    config = load(tmp_path / "new" / "params.yaml")
    assert (config.data.modality, config.data.source) == ("table", "table_rows")
    assert config.model.name == "mlp"
    assert config.model.hidden == [32]
    assert (tmp_path / "new" / made.sheet).read_text(encoding="utf-8").count("balcony") == 16
    assert any("numbers size, rooms" in note for note in made.notes)
