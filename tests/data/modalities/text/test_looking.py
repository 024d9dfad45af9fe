"""What `convoy monitor` compares of texts."""

import numpy as np

from convoy.data.modalities.text import looking


def test_length_and_the_share_of_words_that_the_model_never_learned() -> None:
    found = looking.of_sample("a b c d", np.array([5, 1, 1, 7], np.int32))
    assert found == {"length": 4.0, "unknown": 0.5}


def test_many_at_once_give_the_same_numbers() -> None:
    samples = [np.array(ids, np.int32) for ids in ([1], [2, 3], [1, 9, 1])]

    class Store:
        def __getitem__(self, rows: np.ndarray) -> dict[str, np.ndarray]:
            values, bounds = looking.ragged.of([samples[row] for row in rows], "int32")
            return {"tokens": values, "tokens.offsets": bounds}

    found = looking.of_store(Store(), np.array([2, 0, 1]))  # type: ignore[arg-type]
    for place, row in enumerate((2, 0, 1)):
        one = looking.of_sample("", samples[row])
        assert {name: float(values[place]) for name, values in found.items()} == {
            name: float(np.float32(value)) for name, value in one.items()
        }
