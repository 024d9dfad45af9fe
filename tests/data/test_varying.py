"""Stores and batches of samples that differ in length."""

from pathlib import Path

import numpy as np
import pytest

from convoy import io
from convoy.data import ragged, store
from convoy.data.loader import BatchLoader, Loading
from convoy.data.store import Store
from convoy.errors import IntegrityError

LOADING = Loading(fields=("tokens",), length="tokens")


def write(folder: Path, count: int, first: int = 0) -> Store:
    """Sample n is n + 1 times its own number, and as many bytes of text."""
    samples = [np.full(n % 17 + 1, first + n) for n in range(count)]
    folder.mkdir(parents=True)
    store.finish(
        folder,
        [],
        None,
        {
            "target": np.arange(count, dtype="<i8") % 2,
            "id": np.array([f"{first + n:032x}" for n in range(count)], "S32"),
        },
        {"tokens": ragged.of(samples, "<i4"), "text": ragged.of(samples, "|u1")},
    )
    return Store.open(folder, verify=True)


def test_a_batch_holds_the_fields_that_are_asked_for(tmp_path: Path) -> None:
    stored = write(tmp_path / "train", 40)
    assert len(stored) == 40
    found = stored.read(np.array([4, 0]), ("tokens",))
    assert found["tokens"].tolist() == [4] * 5 + [0]
    assert found["tokens.offsets"].tolist() == [0, 5, 6]
    assert found.keys() == {"tokens", "tokens.offsets", "target", "id"}
    assert stored[np.array([1])].keys() == {*found, "text", "text.offsets"}


def test_several_stores_are_read_as_one(tmp_path: Path) -> None:
    stores = [write(tmp_path / "a", 20), write(tmp_path / "b", 30, first=20)]
    loader = BatchLoader(stores, batch_size=7, loading=LOADING)
    found = loader.gather(np.array([25, 3, 49, 0]))
    parts = np.split(found["tokens"], found["tokens.offsets"][1:-1])
    assert [part.tolist()[0] for part in parts] == [25, 3, 49, 0]
    assert [len(part) for part in parts] == [6, 4, 13, 1]


def test_batches_hold_samples_of_like_length_and_every_sample_once(tmp_path: Path) -> None:
    loader = BatchLoader(
        [write(tmp_path / "train", 500)], batch_size=16, seed=1, shuffle=True, loading=LOADING
    )
    spread = []
    for epoch in range(2):
        loader.set_epoch(epoch)
        order = loader.order()
        assert sorted(order.tolist()) == list(range(500))
        assert order.tolist() == loader.order().tolist()
        spread += [np.ptp(order[at : at + 16] % 17) for at in range(0, 496, 16)]
    assert np.mean(spread) < 2
    first = loader.order()
    loader.set_epoch(0)
    assert first.tolist() != loader.order().tolist()


def test_offsets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train", 10)
    path = tmp_path / "train" / "tokens.offsets.npy"
    bounds = np.load(path)
    bounds[3], bounds[4] = bounds[4], bounds[3]
    np.save(path, bounds)
    with pytest.raises(IntegrityError, match="offsets of tokens do not fit"):
        Store.open(tmp_path / "train")


def test_a_schema_without_samples_of_any_kind_is_damaged(tmp_path: Path) -> None:
    write(tmp_path / "train", 10)
    schema = io.read_json(tmp_path / "train" / "schema.json")
    io.write_json(tmp_path / "train" / "schema.json", {**schema, "varying": []})
    with pytest.raises(IntegrityError, match="damaged"):
        Store.open(tmp_path / "train")
