import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convoy import io
from convoy.data import shards, statistics
from convoy.data.shards import Rows

SIZE = 128 * 1024  # of a picture: 32 are expected in a shard


def identities(count: int, start: int = 0) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(start, start + count)]


def contents(ids: list[str]) -> set[tuple[str, ...]]:
    return {tuple(ids[span.start : span.stop]) for span in shards.cuts(ids, SIZE)}


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 3000), start=st.integers(0, 10**6))
def test_shards_cover_all_samples_once_and_keep_to_their_bounds(count: int, start: int) -> None:
    spans = shards.cuts(identities(count, start), SIZE)
    assert [n for span in spans for n in span] == list(range(count))
    lengths = [len(span) for span in spans]
    assert max(lengths) <= 4 * 32
    assert min(lengths, default=count) >= min(count, 16)


def test_shards_have_the_expected_length_on_average() -> None:
    spans = shards.cuts(identities(4000), SIZE)
    assert 0.85 * 32 < 4000 / len(spans) < 1.15 * 32
    assert sum(16 <= len(span) <= 64 for span in spans) > 0.95 * len(spans)


@pytest.mark.parametrize("change", ["add", "remove", "replace"])
def test_a_change_rewrites_hardly_more_than_its_own_shard(change: str) -> None:
    ids = identities(3000)
    before = contents(ids)
    new = []
    for place in range(5, 3000, 97):
        other = list(ids)
        if change == "add":
            other.insert(place, identities(1, 10**6 + place)[0])
        elif change == "remove":
            del other[place]
        else:
            other[place] = identities(1, 10**6 + place)[0]
        new.append(len(contents(other) - before))
    assert np.median(new) == 1
    assert np.mean(new) < 1.5
    assert max(new) <= 4


def test_the_shards_do_not_depend_on_history() -> None:
    ids = identities(500)
    assert contents(ids) == contents(list(ids))
    assert shards.cuts(ids, SIZE) == shards.cuts(ids[:], SIZE)


def test_larger_stores_have_larger_shards_that_end_where_smaller_ones_do() -> None:
    assert shards.rows_expected(128 * 32, SIZE) == 32
    assert shards.rows_expected(128 * 32 + 1, SIZE) == 64
    assert shards.rows_expected(10**6, SIZE) * shards._MOST_SHARDS >= 10**6
    small = {span.stop for span in shards.cuts(identities(128 * 32), SIZE)}
    large = {span.stop for span in shards.cuts(identities(128 * 32 + 1), SIZE)}
    assert large - {128 * 32 + 1} <= small
    assert len(large) < 0.7 * len(small)


def test_the_same_picture_many_times_makes_no_shard_of_one() -> None:
    spans = shards.cuts(["a" * 32] * 1000, SIZE)
    assert [len(span) for span in spans[:-1]] == [128] * 7


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (37, 5, 4, 3), dtype=np.uint8)


@pytest.fixture
def rows(pictures: NDArray[np.uint8]) -> Rows:
    return Rows([pictures[:10], pictures[10:11], pictures[11:30], pictures[30:]])


def test_several_shards_read_like_one_array(rows: Rows, pictures: NDArray[np.uint8]) -> None:
    assert (len(rows), rows.shape, rows.dtype, rows.ndim) == (37, (37, 5, 4, 3), np.uint8, 4)
    assert (rows.size, rows.nbytes) == (pictures.size, pictures.nbytes)
    np.testing.assert_array_equal(np.asarray(rows), pictures)
    np.testing.assert_array_equal(np.stack(list(rows)), pictures)
    np.testing.assert_array_equal(rows.reshape(37, -1), pictures.reshape(37, -1))
    assert np.asarray(rows, np.float32).dtype == np.float32
    assert np.mean(rows) == np.mean(pictures)


@pytest.mark.parametrize(
    "index",
    [
        0, -1, 10, np.int64(29), slice(None), slice(3, 9), slice(8, 33), slice(-4, None), slice(30, 2),
        slice(36, 99), slice(None, None, 3), slice(None, None, -1), [4, 1, 1, 36], np.array([-1, 0, 30]),
        np.arange(0), np.array([[0, 36], [10, 11]]), np.arange(37) % 3 == 0,
        (slice(5, 25), 2), (3, 1, 2), (np.array([9, 10]), slice(1, 3)), (slice(None), 0, 0, 0), ...,
        (..., 0),
    ],
)  # fmt: skip
def test_every_index_gives_what_an_array_gives(
    rows: Rows, pictures: NDArray[np.uint8], index: object
) -> None:
    wanted = np.array(index, np.int64) if isinstance(index, np.ndarray) and not index.size else index
    np.testing.assert_array_equal(rows[index], pictures[wanted])  # type: ignore[index]


@pytest.mark.parametrize("index", [37, -38, [0, 37], np.array([-38]), np.array([0.5]), np.array([True] * 36)])
def test_what_is_not_there_is_an_index_error(rows: Rows, index: object) -> None:
    with pytest.raises(IndexError):
        rows[index]


def test_numpy_takes_from_shards(rows: Rows, pictures: NDArray[np.uint8]) -> None:
    chosen = np.array([36, 0, 0, 12])
    taken = np.take(rows, chosen, axis=0)  # type: ignore[call-overload]
    np.testing.assert_array_equal(taken, pictures[chosen])
    assert type(taken) is np.ndarray
    assert taken.flags.writeable
    np.testing.assert_array_equal(np.take(rows, [1, 0], axis=1), pictures[:, [1, 0]])  # type: ignore[call-overload]


def blocks(pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    yield pictures[:20]
    yield pictures[20:]


def test_a_written_shard_is_an_array_with_its_digest_and_sums(
    tmp_path: Path, pictures: NDArray[np.uint8]
) -> None:
    found = shards.write(tmp_path / "a.npy", blocks(pictures), 37, (5, 4, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), pictures)
    assert (found.file, found.rows) == ("a.npy", 37)
    assert found.sha256 == io.sha256_file(tmp_path / "a.npy")
    assert found.sums == statistics.sums(pictures)


def test_a_shard_that_was_not_finished_is_not_there(tmp_path: Path, pictures: NDArray[np.uint8]) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield pictures[:20]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.write(tmp_path / "a.npy", broken(), 37, (5, 4, 3))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_known_before_any_picture_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def never() -> Iterator[NDArray[np.uint8]]:
        pytest.fail("a picture was decoded")
        yield  # type: ignore[unreachable]

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        shards.write(tmp_path / "a.npy", never(), 37, (5, 4, 3))
    assert list(tmp_path.iterdir()) == []
