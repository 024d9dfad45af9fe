"""What `convoy monitor` compares of sequences."""

import numpy as np
import pytest

from convoy.data.modalities.sequence import looking


def test_length_level_spread_and_roughness() -> None:
    found = looking.of_sample(b"", np.array([[1, 10], [3, 10], [2, 10]], np.float32))
    assert found["length"] == 3
    assert found["level"] == pytest.approx(6)
    assert found["spread"] == pytest.approx(np.std([1, 3, 2, 10, 10, 10]))
    assert found["roughness"] == pytest.approx((2 + 1) / 2 / 2)


def test_many_at_once_give_the_same_numbers() -> None:
    random = np.random.default_rng(0)
    samples = [random.normal(size=(steps, 2)).astype(np.float32) for steps in (1, 7, 4)]

    class Store:
        def __getitem__(self, rows: np.ndarray) -> dict[str, np.ndarray]:
            values, bounds = looking.ragged.of([samples[row] for row in rows], "<f4")
            return {"signal": values, "signal.offsets": bounds}

    found = looking.of_store(Store(), np.array([2, 0, 1]))  # type: ignore[arg-type]
    for place, row in enumerate((2, 0, 1)):
        one = looking.of_sample(b"", samples[row])
        assert {name: float(values[place]) for name, values in found.items()} == pytest.approx(one, rel=1e-6)
