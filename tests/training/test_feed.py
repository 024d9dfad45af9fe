from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convoy.data.augment import Policy
from convoy.data.device import policy as device_policy
from convoy.data.device.resident import Resident
from convoy.data.loader import BatchLoader
from convoy.data.store import Store
from convoy.training import feed as feeds
from convoy.training.feed import DeviceFeed, TensorFeed, feed
from tests.toys import write_store

CPU = torch.device("cpu")
POLICY: list[dict[str, Any]] = [
    {"name": "Affine", "rotate": [-20, 20], "p": 0.8},
    {"name": "HorizontalFlip", "p": 0.5},
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write_store(tmp_path / "store", 50)
    return Store.open(tmp_path / "store")


def loader(store: Store, policy: Policy | None = None, **options: Any) -> BatchLoader:
    return BatchLoader([store], batch_size=8, seed=3, shuffle=True, augment=policy, **options)


def on_device(store: Store, *, resident: bool, epoch: int = 2, policy: Policy | None = None) -> DeviceFeed:
    form = device_policy.of(policy) if policy else None
    held = Resident([store], CPU) if resident else None
    return DeviceFeed(loader(store, policy), CPU, form, held, lambda: epoch)


def test_a_feed_yields_the_loaders_batches_as_tensors(store: Store) -> None:
    expected = loader(store, Policy(POLICY))
    expected.set_epoch(4)
    batches = list(TensorFeed(loader(store, Policy(POLICY)), lambda: 4))
    assert len(batches) == len(TensorFeed(expected)) == 7
    for batch, theirs in zip(batches, expected, strict=True):
        assert sorted(batch) == ["images", "target"]
        np.testing.assert_array_equal(batch["images"], theirs["images"])
        np.testing.assert_array_equal(batch["target"], theirs["target"])


def test_the_epoch_is_asked_for_when_the_first_batch_is_taken(store: Store) -> None:
    """Lightning makes the iterator of a resumed training before it has restored the epoch."""
    for make in (
        lambda epoch: TensorFeed(loader(store), epoch),
        lambda epoch: DeviceFeed(loader(store), CPU, None, None, epoch),
    ):
        now = 0
        batches = iter(make(lambda: now))  # noqa: B023  # it is to see the change
        now = 3
        fifth = loader(store)
        fifth.set_epoch(3)
        np.testing.assert_array_equal(next(batches)["target"], next(iter(fifth))["target"])


def test_images_that_live_on_the_device_and_images_that_are_sent_give_the_same_stream(store: Store) -> None:
    policy = Policy(POLICY)
    streams = [list(on_device(store, resident=resident, policy=policy)) for resident in (True, False)]
    assert len(streams[0]) == len(streams[1]) == 7
    for ours, theirs in zip(*streams, strict=True):
        assert torch.equal(ours["images"], theirs["images"])
        assert torch.equal(ours["target"], theirs["target"])


def test_the_device_sees_the_samples_and_draws_of_the_cpu(store: Store) -> None:
    policy = Policy(POLICY)
    host = TensorFeed(loader(store, policy), lambda: 2)
    for ours, theirs in zip(on_device(store, resident=True, policy=policy), host, strict=True):
        assert torch.equal(ours["target"], theirs["target"])
        apart = (ours["images"].int() - theirs["images"].int()).abs()
        assert apart.max() <= 1
    plain = next(iter(on_device(store, resident=True)))
    assert not torch.equal(plain["images"], next(iter(host))["images"])


def test_the_stream_of_the_device_depends_on_the_epoch_alone(store: Store) -> None:
    policy = Policy(POLICY)
    first, again, other = (
        torch.cat([batch["images"] for batch in on_device(store, resident=True, epoch=epoch, policy=policy)])
        for epoch in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_on_the_cpu_the_loader_augments(store: Store) -> None:
    assert isinstance(feed(loader(store, Policy(POLICY)), CPU), TensorFeed)


class FakeCuda:
    """A device that says it is a GPU; tensors stay where they are."""

    type = "cuda"


@pytest.mark.parametrize(
    ("transforms", "free", "kind", "held"),
    [
        (POLICY, 10**9, DeviceFeed, True),
        (POLICY, 10, DeviceFeed, False),
        ([], 10**9, DeviceFeed, True),
        ([*POLICY, {"name": "CLAHE"}], 10**9, TensorFeed, False),
    ],
)
def test_where_the_pixels_are_computed_depends_on_the_policy_and_not_on_free_memory(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    transforms: list[dict[str, Any]],
    free: int,
    kind: type,
    held: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, 10**10))
    made: list[str] = []
    monkeypatch.setattr(feeds, "Resident", lambda _stores, _device: made.append("resident"))
    policy = Policy(transforms) if transforms else None
    chosen = feed(loader(store, policy), FakeCuda())  # type: ignore[arg-type]
    assert type(chosen) is kind
    assert bool(made) is held
    if isinstance(chosen, TensorFeed):
        assert chosen._pinned


def test_batches_for_a_gpu_are_pinned(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = 0

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal pinned
        pinned += 1
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    list(TensorFeed(loader(store)))
    assert pinned == 0
    list(TensorFeed(loader(store), pinned=True))
    assert pinned == 2 * 7


def test_keypoints_are_fed_where_the_store_has_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(store._arrays, "keypoints", np.ones((50, 2, 3), np.float32))
    batch = next(iter(TensorFeed(loader(store))))
    assert batch["keypoints"].shape == (8, 2, 3)
