from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.data.loader import BatchLoader, batch_key
from convoy.data.store import Store
from tests.toys import write_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write_store(tmp_path / "store", 50)
    return Store.open(tmp_path / "store")


def noisy(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    return images + np.random.default_rng(seed).integers(0, 5, images.shape, dtype=np.uint8)


def stream(loader: BatchLoader, epoch: int) -> list[NDArray[np.uint8]]:
    loader.set_epoch(epoch)
    return [batch["images"] for batch in loader]


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


def test_an_error_in_the_augmentation_comes_out_of_the_loop(store: Store) -> None:
    def broken(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        raise RuntimeError("broken policy")

    with pytest.raises(RuntimeError, match="broken policy"):
        list(BatchLoader([store], batch_size=8, augment=broken))


def test_leaving_the_loop_early_ends_the_thread(store: Store) -> None:
    import threading

    batches = iter(BatchLoader([store], batch_size=1))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not any(thread.name == "batch-loader" for thread in threading.enumerate())
