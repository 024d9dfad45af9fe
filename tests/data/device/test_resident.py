from pathlib import Path

import numpy as np
import pytest
import torch

from convoy.data.device import resident
from convoy.data.device.resident import Resident
from convoy.data.store import Store
from tests.toys import write_store


@pytest.fixture
def stores(tmp_path: Path) -> list[Store]:
    for seed, name in enumerate(("a", "b")):
        write_store(tmp_path / name, 20 + seed, seed=seed)
    return [Store.open(tmp_path / name) for name in ("a", "b")]


def test_stores_on_the_device_hold_what_they_held(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "_CHUNK", 12 * 12 * 7)  # sent seven pictures at a time
    held = Resident(stores, torch.device("cpu"))
    np.testing.assert_array_equal(held.images, np.concatenate([np.asarray(s.images) for s in stores]))
    batch = held.gather(torch.tensor([40, 0, 20]))
    np.testing.assert_array_equal(batch["images"][0], stores[1].images[20])
    assert batch["target"].tolist() == [stores[1].target[20], stores[0].target[0], stores[1].target[0]]


def test_a_store_lives_on_the_device_if_it_takes_no_more_than_its_share(stores: list[Store]) -> None:
    size = 41 * 12 * 12
    assert resident.size(stores) == size
    assert resident.fits(stores, int(size / resident.SHARE) + 1)
    assert not resident.fits(stores, int(size / resident.SHARE) - 1)
