"""One row, as somebody sends it."""

from typing import Any

import numpy as np
import pytest

from convoy.data.modalities.table import cells
from convoy.data.modalities.table.cells import BadRow, Rows

SPEC: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "number"},
        {"name": "work", "kind": "category", "categories": ["3", "State"], "rare": ["Farm"]},
        {"name": "ok", "kind": "boolean"},
        {"name": "since", "kind": "date"},
    ],
    "missing": ["", "?"], "decimal": ".", "earliest": "1900-01-01", "latest": "2100-12-31",
    "dates": ["year", "month", "day", "weekday", "hour", "days"], "unseen": "unknown",
}  # fmt: skip
ROW: dict[str, Any] = {"age": "39", "work": "State", "ok": "yes", "since": "2024-05-31T13:45"}


def of(**changes: Any) -> list[float]:
    return Rows(SPEC).cells({**ROW, **changes}).tolist()


def test_numbers_come_first_then_categories() -> None:
    assert of() == [39, 1, 2024, 5, 31, 4, 13, pytest.approx(19874 + 13.75 / 24), 3]


def test_values_of_json_and_of_tables_say_the_same() -> None:
    assert of(age=39, ok=True) == of(age=39.0, ok="T") == of(age=" 39 ", ok=1) == of()
    assert of(work=3)[-1] == of(work=3.0)[-1] == of(work="3")[-1] == 2


@pytest.mark.parametrize("nothing", [None, "", "?", float("nan")])
def test_what_is_missing_is_no_number_and_a_code_of_its_own(nothing: Any) -> None:
    found = of(age=nothing, work=nothing, ok=nothing, since=nothing)
    assert np.isnan(found[:-1]).all()
    assert found[-1] == cells.MISSING


def test_a_category_unseen_in_training_is_unknown_or_refused_as_was_declared() -> None:
    assert of(work="Space")[-1] == of(work="Farm")[-1] == cells.UNKNOWN
    strict = Rows({**SPEC, "unseen": "error"})
    with pytest.raises(
        BadRow, match="column 'work': 'Space' is none of the categories of the training split"
    ):
        strict.cells({**ROW, "work": "Space"})
    assert strict.cells({**ROW, "work": "Farm"})[-1] == cells.UNKNOWN  # it was seen, and is too rare


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("age", "1,234", "'1,234' has a comma"),
        ("age", "3,5", "'3,5' has a comma"),
        ("age", "1.234.567", "has a comma or several points"),
        ("age", "old", "'old' is no number"),
        ("age", "inf", "is no number"),
        ("age", "1e999", "is no number"),
        ("age", [39], "a list is no value"),
        ("ok", "maybe", "neither true nor false"),
        ("since", "2024-02-30", "is no date"),
        ("since", "31.5.2024", "is no date"),
        ("since", "1024-01-01", "out of range"),
        ("since", "2203-01-01", "out of range"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_refused_by_name(
    column: str, value: Any, message: str
) -> None:
    with pytest.raises(BadRow, match=message) as error:
        of(**{column: value})
    assert f"column {column!r}" in str(error.value)
    assert error.value.reason == "value"


def test_numbers_with_a_comma_are_read_where_that_was_declared() -> None:
    assert cells.number("3,5", ",") == 3.5
    with pytest.raises(ValueError, match="several points"):
        cells.number("1.234,5", ",")


def test_a_missing_column_is_named_and_one_that_may_be_it() -> None:
    row = {"Age" if name == "age" else name: value for name, value in ROW.items()}
    with pytest.raises(BadRow, match=r"column 'age' \(is 'Age' it\?\) missing"):
        Rows(SPEC).cells(row)
    with pytest.raises(BadRow, match="columns 'age', 'work', 'ok', 'since' missing"):
        Rows(SPEC).cells({})
    assert Rows(SPEC).cells({**ROW, "more": 1}).tolist() == of()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"\xff\xfe1", "undecodable"),
        (b"{", "undecodable"),
        (b"[1]", "undecodable"),
    ],
)
def test_what_is_no_row_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadRow) as error:
        Rows(SPEC).record(content)
    assert error.value.reason == reason


def test_parts_of_dates_before_1970_and_of_leap_years() -> None:
    seconds = np.array([cells.date(day, "1800-01-01", "2199-12-31") for day in ("1969-12-31", "2024-2-29")])
    names = ["year", "month", "day", "weekday", "days"]
    assert cells.parts(seconds, names).tolist() == [[1969, 12, 31, 2, -1], [2024, 2, 29, 3, 19782]]
