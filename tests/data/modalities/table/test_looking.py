"""What `convoy monitor` compares of rows."""

import json

import numpy as np
import pytest

from convoy.data import ragged
from convoy.data.modalities.table import looking

ROWS = [
    {"age": "39", "work": "State", "pay": None},
    {"age": "51", "work": None, "pay": "2.5"},
    {"age": None, "work": "State", "pay": None},
]


class Store:
    def field(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        assert name == "row"
        return ragged.of([np.frombuffer(json.dumps(row).encode(), np.uint8) for row in ROWS], "|u1")


def test_numbers_and_how_many_values_are_missing() -> None:
    found = looking.of_sample(json.dumps(ROWS[1]).encode(), np.zeros(1))
    assert found == {"missing": 1.0, "column age": 51.0, "column pay": 2.5}


def test_many_at_once_give_the_same_numbers() -> None:
    found = looking.of_store(Store(), np.array([2, 0, 1]))  # type: ignore[arg-type]
    assert set(found) == {"missing", "column age", "column pay"}
    for place, row in enumerate((2, 0, 1)):
        one = looking.of_sample(json.dumps(ROWS[row]), np.zeros(1))
        known = {name: float(values[place]) for name, values in found.items() if np.isfinite(values[place])}
        assert known == pytest.approx(one)
