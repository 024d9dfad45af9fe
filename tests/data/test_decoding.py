from pathlib import Path

import numpy as np
import psutil
import pytest

from convoy.config.data import DataConfig
from convoy.data import decoding, manifest, pixels, workers
from convoy.data.decoding import Decoder, decoded
from tests.data.pictures import write_folder

SPEC = {"height": 8, "width": 10, "channels": 3, "resize": "stretch", "interpolation": "area",
        "max_pixels": 10**6}  # fmt: skip


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    write_folder(tmp_path / "data", {"a": 90, "b": 90})
    return Decoder(DataConfig(source="image_folder", path="data"), tmp_path, SPEC)


def items(decoder: Decoder) -> list[tuple[str, str]]:
    root = decoder.base / "data"
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    return [(path, manifest.content_id((root / path).read_bytes())) for path in paths]


def test_pictures_come_in_order_with_the_size_that_they_had(decoder: Decoder) -> None:
    work = items(decoder)
    for (path, _), picture in zip(work, decoded(decoder, work, 0), strict=True):
        expected = pixels.prepare((decoder.base / "data" / path).read_bytes(), SPEC)
        np.testing.assert_array_equal(np.frombuffer(picture.pixels, np.uint8).reshape(8, 10, 3), expected)
        assert (picture.rows, picture.columns) == (12, 16)


@pytest.mark.parametrize("start", [0.0, 1e-3, 1e9])
def test_children_and_this_process_share_the_work_without_a_gap(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, start: float
) -> None:
    monkeypatch.setattr(decoding, "_START", start)
    monkeypatch.setattr(decoding, "_CHUNK", 7)
    work = items(decoder)
    assert list(decoded(decoder, work, 2)) == list(decoded(decoder, work, 0))


@pytest.mark.parametrize(("seconds", "cores", "children"), [(1e-6, 2, 0), (1.0, 2, 2), (1.0, 1, 0)])
def test_children_are_started_where_there_is_work_for_them(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, seconds: float, cores: int, children: int
) -> None:
    asked = []

    def watched(make: Decoder, work: list[tuple[str, str]], *, processes: int, chunk: int) -> object:
        asked.append(processes)
        return iter([make()(item) for item in work])

    monkeypatch.setattr(workers, "run", watched)
    monkeypatch.setattr(decoding, "cores", lambda: cores)
    monkeypatch.setattr(decoding, "_seconds", lambda do, work: seconds)
    assert len(list(decoded(decoder, items(decoder)))) == 180
    assert sum(asked) == children


def test_leaving_early_ends_the_children(decoder: Decoder) -> None:

    work = items(decoder) * 20
    results = decoded(decoder, work, 2)
    next(results)
    results.close()
    nursery = psutil.Process().children()
    assert [child for each in nursery for child in each.children()] == []


def test_large_pictures_travel_in_small_parcels(decoder: Decoder) -> None:
    large = Decoder(decoder.data, decoder.base, {**SPEC, "height": 1024, "width": 1024})
    assert decoding._chunk(decoder) == 64
    assert decoding._chunk(large) == 1


def test_nothing_to_do_starts_nothing(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "run", None)
    assert list(decoded(decoder, [], 2)) == []
