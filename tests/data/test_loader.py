import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.data import loader as loaders
from convoy.data import ragged
from convoy.data import store as stores
from convoy.data.augment import Policy
from convoy.data.loader import Batch, BatchLoader, Loading, auto_workers, batch_key
from convoy.data.store import Store
from tests.toys import write_store

POLICY = [
    {"name": "Affine", "rotate": [-20, 20], "p": 0.8},
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "GaussNoise", "std_range": [0.05, 0.1], "p": 0.5},
    {"name": "CLAHE", "p": 0.5},  # has no batch form
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write_store(tmp_path / "store", 50)
    return Store.open(tmp_path / "store")


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of these tests are too small for several threads otherwise."""
    monkeypatch.setattr(loaders, "_SMALL", 0)


def noisy(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    return images + np.random.default_rng(seed).integers(0, 5, images.shape, dtype=np.uint8)


def stream(loader: BatchLoader, epoch: int) -> list[NDArray[np.uint8]]:
    loader.set_epoch(epoch)
    return [batch["images"] for batch in loader]


def digests(batches: Iterator[Batch] | BatchLoader) -> list[str]:
    """Of each batch: pixels, targets and ids."""
    return [
        hashlib.sha256(b"".join(batch[name].tobytes() for name in ("images", "target", "id"))).hexdigest()
        for batch in batches
    ]


def test_an_epoch_has_every_sample_once(store: Store) -> None:
    loader = BatchLoader([store], batch_size=8, shuffle=True)
    seen = np.concatenate([batch["id"] for batch in loader])
    assert sorted(seen.tolist()) == sorted(store.id.tolist())
    assert len(loader) == 7


def test_the_same_epoch_gives_the_same_stream_in_any_order_of_asking(store: Store) -> None:
    first = BatchLoader([store], batch_size=8, seed=3, shuffle=True, augment=noisy)
    resumed = BatchLoader([store], batch_size=8, seed=3, shuffle=True, augment=noisy)
    stream(first, 0), stream(first, 1)
    for ours, theirs in zip(stream(first, 2), stream(resumed, 2), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("threaded")
@pytest.mark.parametrize("prefetch", [1, 3, 100])
def test_the_stream_is_the_same_for_any_number_of_workers(store: Store, prefetch: int) -> None:
    streams = []
    for workers in (0, 1, 4):
        loader = BatchLoader(
            [store], batch_size=4, seed=1, shuffle=True, augment=Policy(POLICY), workers=workers,
            prefetch=prefetch,
        )  # fmt: skip
        streams.append([digests(loader) for epoch in range(2) if loader.set_epoch(epoch) is None])
    assert streams[0] == streams[1] == streams[2]
    assert len(set(streams[0][0] + streams[0][1])) == 26


def test_policies_shared_by_threads_do_not_disturb_one_another(store: Store) -> None:
    """albumentations keeps what it draws inside its transforms."""
    policy = Policy([{"name": "ElasticTransform", "p": 0.7}, {"name": "RandomGridShuffle", "p": 0.7}])
    images = store.images[:8]
    alone = {seed: policy(images, seed).tobytes() for seed in range(12)}
    together: dict[int, bytes] = {}

    def work(part: int) -> None:
        for seed in range(part, 12, 4):
            together[seed] = policy(images, seed).tobytes()

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_epochs_and_seeds_differ_in_order_and_augmentation(store: Store) -> None:
    loader = BatchLoader([store], batch_size=50, seed=0, shuffle=True, augment=noisy)
    other = BatchLoader([store], batch_size=50, seed=1, shuffle=True, augment=noisy)
    epochs = [stream(loader, 0)[0], stream(loader, 1)[0], stream(other, 0)[0]]
    assert len({values.tobytes() for values in epochs}) == 3
    assert len({batch_key(s, e, b) for s in range(3) for e in range(3) for b in range(3)}) == 27


def test_several_stores_are_read_as_one(store: Store, tmp_path: Path) -> None:
    write_store(tmp_path / "more", 30, seed=7)
    more = Store.open(tmp_path / "more")
    loader = BatchLoader([store, more], batch_size=16, shuffle=True)
    batches = list(loader)
    assert loader.samples == 80
    by_id = {
        key: image for part in (store, more) for key, image in zip(part.id.tolist(), part.images, strict=True)
    }
    for batch in batches:
        for key, image in zip(batch["id"].tolist(), batch["images"], strict=True):
            np.testing.assert_array_equal(image, by_id[key])


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.usefixtures("threaded")
def test_an_error_in_the_augmentation_comes_out_of_the_loop(store: Store, workers: int) -> None:
    def broken(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        raise RuntimeError("broken policy")

    with pytest.raises(RuntimeError, match="broken policy"):
        list(BatchLoader([store], batch_size=8, augment=broken, workers=workers))


@pytest.mark.usefixtures("threaded")
def test_batches_before_an_error_still_come(store: Store) -> None:
    loader = BatchLoader([store], batch_size=8, workers=4)

    def failing(number: int, indices: NDArray[np.int64]) -> int:
        if number == 3:
            raise RuntimeError("the fourth batch")
        return number

    seen = []
    with pytest.raises(RuntimeError, match="the fourth batch"):
        for number in loader.each(failing):
            seen.append(number)  # what came before the error counts
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.usefixtures("threaded")
def test_leaving_the_loop_early_ends_the_threads(store: Store, workers: int) -> None:
    batches = iter(BatchLoader([store], batch_size=1, workers=workers))
    next(batches)
    assert any(thread.name.startswith("batch-loader") for thread in threading.enumerate())
    batches.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("batch-loader") for thread in threading.enumerate())


def test_no_more_than_the_prefetch_is_made_ahead(store: Store) -> None:
    made: list[int] = []

    def make(number: int, indices: NDArray[np.int64]) -> int:
        made.append(number)
        return number

    batches = BatchLoader([store], batch_size=1, prefetch=5).each(make)
    next(batches)
    deadline = time.monotonic() + 5
    while len(made) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert made == list(range(6))
    list(batches)


def test_small_pictures_are_made_by_one_thread_and_large_ones_by_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def makers(small: int) -> set[str]:
        monkeypatch.setattr(loaders, "_SMALL", small)
        meeting = threading.Barrier(3)

        def make(number: int, indices: NDArray[np.int64]) -> str:
            if small == 0:
                meeting.wait(timeout=20)  # three threads are in here at once
            return threading.current_thread().name

        return set(BatchLoader([store], batch_size=6, workers=3).each(make))

    assert len(makers(0)) == 3
    assert len(makers(1 << 15)) == 1


@pytest.mark.parametrize(("length", "threads"), [(4, 1), (4000, 3)], ids=["short", "long"])
def test_short_sequences_are_made_by_one_thread_and_long_ones_by_all(
    length: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaders, "_SMALL", 1 << 15)
    samples = [np.zeros((length, 1), np.float32)] * 48
    ids = np.array([f"{number:032d}" for number in range(48)], "S32")
    stores.finish(
        tmp_path,
        [],
        None,
        {"target": np.zeros(48, np.int64), "id": ids},
        {"signal": ragged.of(samples, "<f4")},
    )
    meeting = threading.Barrier(threads)

    def make(number: int, indices: NDArray[np.int64]) -> str:
        meeting.wait(timeout=20)
        return threading.current_thread().name

    loader = BatchLoader([Store.open(tmp_path)], batch_size=8, workers=3, loading=Loading(length="signal"))
    assert len(set(loader.each(make))) == threads


@pytest.mark.parametrize(
    ("batch_size", "shuffle", "sizes"),
    [
        (7, True, [7] * 6 + [8]),
        (7, False, [7] * 7 + [1]),
        (9, True, [9] * 5 + [5]),
        (1, True, [1] * 50),
        (60, True, [50]),
    ],
)
def test_of_a_shuffled_epoch_no_batch_is_a_single_sample(
    store: Store, batch_size: int, shuffle: bool, sizes: list[int]
) -> None:
    loader = BatchLoader([store], batch_size=batch_size, shuffle=shuffle)
    assert len(loader) == len(sizes)
    batches = list(loader)
    assert [len(batch["target"]) for batch in batches] == sizes
    assert len({bytes(name) for batch in batches for name in batch["id"]}) == 50


def test_without_workers_nothing_is_made_ahead_and_no_thread_is_started(store: Store) -> None:
    before = threading.active_count()
    made: list[int] = []

    def make(number: int, indices: NDArray[np.int64]) -> int:
        made.append(number)
        return number

    batches = BatchLoader([store], batch_size=8, workers=0).each(make)
    next(batches)
    assert made == [0]
    assert threading.active_count() == before


def test_auto_leaves_a_core_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for cores in (1, 2, 4, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        found.append(auto_workers())
    assert found == [1, 1, 3, 8]


def test_keypoints_of_a_store_follow_their_pictures(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.tile(np.array([2.0, 3.0, 2.0], np.float32), (len(store), 4, 1))
    monkeypatch.setitem(store._arrays, "keypoints", points)
    loader = BatchLoader([store], batch_size=8, augment=Policy([{"name": "HorizontalFlip", "p": 1.0}]))
    batch = next(iter(loader))
    np.testing.assert_array_equal(batch["keypoints"], np.tile([9.0, 3.0, 2.0], (8, 4, 1)))
    np.testing.assert_array_equal(batch["images"], store.images[:8, :, ::-1])
