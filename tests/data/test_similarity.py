from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.data import similarity
from convoy.data.facts import thumbnail
from tests.data.checks.tables import photo


def thumbs(count: int) -> NDArray[np.uint8]:
    return np.stack([thumbnail(photo(number)) for number in range(count)])


def pairs(pictures: NDArray[np.uint8]) -> list[list[int]]:
    return similarity.twins(similarity.hashes(pictures), lambda rows: pictures[rows]).pairs.tolist()


def test_hashes_that_are_near_are_all_found() -> None:
    rng = np.random.default_rng(0)
    values = np.unique(rng.integers(0, 1 << 62, 300, dtype=np.uint64))
    flips = np.array(
        [sum(1 << int(bit) for bit in rng.choice(64, n % 7, replace=False)) for n in range(300)], np.uint64
    )
    values = np.unique(np.concatenate([values, values[: len(flips)] ^ flips[: len(values)]]))
    near = np.bitwise_count(values[:, None] ^ values[None])
    expected = np.argwhere(np.triu(near <= similarity.MOST_BITS, 1))
    assert len(expected) > 100
    assert similarity._near(values).tolist() == expected.tolist()


def test_one_hash_in_many_pictures_costs_no_more_than_its_leaders() -> None:
    same = np.repeat(thumbs(1), 3000, axis=0)
    asked = 0

    def thumbnails(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        nonlocal asked
        asked += len(rows)
        return same[rows]

    found = similarity.twins(similarity.hashes(same), thumbnails)
    assert len(found.pairs) == 2999
    assert asked < 4000
    names = found.names([f"{n:04}" for n in range(3000)], np.arange(3000))
    assert set(names) == {"0000"}


def test_flat_pictures_are_no_twins() -> None:
    flat = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (0, 0, 255)])
    assert pairs(flat) == []


def test_a_cluster_is_named_by_its_smallest_id_among_those_that_take_part() -> None:
    pictures = thumbs(4)[[0, 1, 0, 2, 0]]
    found = similarity.twins(similarity.hashes(pictures), lambda rows: pictures[rows])
    ids = ["d", "b", "c", "e", "a"]
    assert found.names(ids, np.arange(5)) == ["a", None, "a", None, "a"]
    assert found.names(ids, np.array([1, 3])) == [None, None]
    assert found.names(["x", "b", "y", "b", "z"], np.array([1, 2, 3])) == ["b", None, "b"]


@pytest.mark.parametrize("damage", [None, b"", b"not an array"])
def test_pairs_that_were_kept_are_taken_over_unless_damaged(tmp_path: Path, damage: bytes | None) -> None:
    pictures = thumbs(3)[[0, 1, 0]]
    hashed = similarity.hashes(pictures)
    similarity.twins(hashed, lambda rows: pictures[rows], tmp_path, "key")
    (file,) = tmp_path.iterdir()
    if damage is not None:
        file.write_bytes(damage)
    asked: list[int] = []

    def thumbnails(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        asked.append(len(rows))
        return pictures[rows]

    assert similarity.twins(hashed, thumbnails, tmp_path, "key").pairs.tolist() == [[0, 2]]
    assert bool(asked) == (damage is not None)
    assert similarity.twins(hashed, thumbnails, tmp_path, "another").pairs.tolist() == [[0, 2]]


def test_what_correlates_enough_is_never_given_up_early() -> None:
    rng = np.random.default_rng(0)
    base = thumbs(40).astype(float)
    noisy = base + rng.normal(0, np.linspace(1, 12, 40)[:, None, None, None], base.shape)
    pictures = np.concatenate([base, noisy]).clip(0, 255).astype(np.uint8)
    candidates = np.stack([np.arange(40), np.arange(40, 80)], axis=1)
    alike = similarity.correlation(pictures[:40], pictures[40:]) >= similarity.LEAST_CORRELATION
    assert 5 < alike.sum() < 35
    possible = similarity._possible(candidates, lambda rows: pictures[rows])
    assert set(candidates[alike][:, 0]) <= set(possible[:, 0])
    assert (
        similarity._confirmed(candidates, lambda rows: pictures[rows]).tolist() == candidates[alike].tolist()
    )
    far = np.stack([np.arange(39), np.arange(1, 40)], axis=1)
    assert len(similarity._possible(far, lambda rows: pictures[rows])) == 0
