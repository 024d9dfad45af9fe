"""Many pictures: the same answers as one by one, bad ones told apart, nothing piled up."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy.serving import engine
from convoy.serving.predictor import Predictor


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_batches_hold_the_answers_in_order(folder: Path, pictures: list[Path], batch_size: int) -> None:
    predictor = Predictor(folder)
    batches = list(engine.classify_all(predictor, pictures, batch_size=batch_size))
    assert [row for batch in batches for row in batch.pictures] == list(range(len(pictures)))
    found = np.concatenate([batch.rows for batch in batches])
    expected = np.concatenate(list(predictor.rows(pictures)))
    assert np.allclose(found, expected, atol=1e-6)


def test_what_cannot_be_read_is_told_by_position(folder: Path, pictures: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    asked = [pictures[0], broken, tmp_path / "none.png", tmp_path, pictures[1]]
    (batch,) = engine.classify_all(Predictor(folder), asked)
    assert batch.errors == {
        1: "not a picture in any known format", 2: "No such file or directory", 3: "Is a directory"
    }  # fmt: skip
    assert batch.rows.shape == (2, 2)


def test_a_batch_without_a_readable_picture_has_no_answers(folder: Path) -> None:
    (batch,) = engine.classify_all(Predictor(folder), [b"", b"x"])
    assert batch.rows.shape == (0, 2)
    assert len(batch.errors) == 2


def test_no_pictures_give_no_batches(folder: Path) -> None:
    assert list(engine.classify_all(Predictor(folder), [])) == []


def test_little_is_prepared_ahead_of_the_network(
    folder: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convoy.data._threads.cores", lambda: 2)
    read: list[int] = []

    class Pictures(Sequence[Any]):
        def __len__(self) -> int:
            return 1000

        def __getitem__(self, row: Any) -> Any:
            read.append(row)
            return pictures[row % len(pictures)]

    batches = engine.classify_all(Predictor(folder), Pictures(), batch_size=10)
    next(batches)
    assert len(read) <= 10 * (1 + 2 * 2 + 1)
    assert sum(1 for _ in batches) == 99


def test_several_threads_decode(folder: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convoy.data._threads.cores", lambda: 2)
    predictor, meeting = Predictor(folder), threading.Barrier(2, timeout=10)
    prepare = predictor.prepare

    def together(content: Any) -> Any:
        meeting.wait()  # raises unless two threads are here at the same time
        return prepare(content)

    monkeypatch.setattr(predictor, "prepare", together)
    assert sum(len(b.pictures) for b in engine.classify_all(predictor, pictures[:8], batch_size=4)) == 8
