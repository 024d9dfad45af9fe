import pandas as pd
import pytest

from convoy.errors import ConfigError
from convoy.scaffold import columns
from convoy.scaffold.columns import Wishes


def table(**cells: list[str]) -> pd.DataFrame:
    return pd.DataFrame(cells, dtype=object)


NAMES = [f"{n}.jpg" for n in range(12)]
KINDS = ["cat", "dog", "bird"] * 4


def test_the_picture_is_the_column_whose_values_exist() -> None:
    there = {f"images/{name}" for name in NAMES}
    found = table(id=[str(n) for n in range(12)], name=NAMES, path=sorted(there), kind=KINDS)
    assert columns.image_column(found, there.__contains__, Wishes()) == "path"
    assert columns.image_column(found, set[str]().__contains__, Wishes()) is None
    assert columns.image_column(found, there.__contains__, Wishes(image_col="name")) == "name"


@pytest.mark.parametrize("name", ["label", "Class", " target ", "class_name", "类别", "标签", "dx_label"])
def test_the_label_is_known_by_its_name(name: str) -> None:
    found = table(path=NAMES, **{name: KINDS}, colour=["red", "blue"] * 6)
    assert columns.options(found, "path", Wishes(), "t.csv") == {"target": name}


def test_the_label_is_the_one_column_that_repeats_its_values() -> None:
    found = table(path=NAMES, taken=[str(n) for n in range(12)], what=KINDS)
    assert columns.options(found, "path", Wishes(), "t.csv") == {"target": "what"}


def test_splits_and_groups_are_known_by_name_and_values() -> None:
    sides = ["train", "Validation", "test"] * 4
    found = table(path=NAMES, label=KINDS, split=sides, patient_id=["a", "b"] * 6)
    assert columns.options(found, "path", Wishes(), "t.csv") == {
        "split_col": "split",
        "group_col": "patient_id",
        "target": "label",
    }
    odd = table(path=NAMES, label=KINDS, split=["1", "2"] * 6, patient_id=[str(n) for n in range(12)])
    assert columns.options(odd, "path", Wishes(), "t.csv") == {"target": "label"}


def test_what_the_user_names_goes_before_every_guess() -> None:
    found = table(path=NAMES, label=KINDS, real=KINDS, site=["a", "b"] * 6, day=[str(n) for n in range(12)])
    wishes = Wishes(target="real", group_col="site", time_col="day")
    assert columns.options(found, "path", wishes, "t.csv") == {
        "group_col": "site",
        "time_col": "day",
        "target": "real",
    }


def test_without_any_column_for_the_label_all_are_listed() -> None:
    with pytest.raises(ConfigError, match="no column repeats its values") as error:
        columns.options(table(path=NAMES, taken=[str(n) for n in range(12)]), "path", Wishes(), "t.csv")
    assert "'path', 'taken'" in error.value.fix
