"""What was predicted is on disk whole, bounded, and counts once a picture."""

import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from convoy.data.manifest import content_id
from convoy.monitor import kept
from convoy.monitor.kept import Keeper
from convoy.serving.source import Reference

MODEL = Reference("digits", "1", "d" * 64)
OTHER = Reference("digits", "2", "e" * 64)
CLASSES = ["down", "up"]


def picture(number: int) -> np.ndarray:
    return np.full((6, 6, 1), number, np.uint8)


def encoded(pixels: np.ndarray) -> bytes:
    done, content = cv2.imencode(".png", pixels)
    assert done
    return content.tobytes()


def keep(root: Path, numbers: list[int], model: Reference = MODEL, limit: int = 1000) -> None:
    keeper = Keeper(root, limit, seconds=60.0)
    looks = [keeper.look("image", encoded(picture(n)), picture(n)) for n in numbers]
    keeper.put(model, looks, CLASSES, np.tile([0.25, 0.75], (len(numbers), 1)))
    keeper.close()


def test_a_row_says_what_was_answered_and_what_the_picture_looked_like(tmp_path: Path) -> None:
    keep(tmp_path, [40, 50])
    rows = kept.read(tmp_path, MODEL.digest, 10)
    assert rows["id"].tolist() == [content_id(encoded(picture(n))) for n in (40, 50)]
    assert rows["prediction"].tolist() == ["up", "up"]
    assert rows["confidence"].tolist() == [0.75, 0.75]
    assert rows["brightness"].tolist() == [40.0, 50.0]
    assert rows[["width", "height"]].to_numpy().tolist() == [[6, 6], [6, 6]]
    assert set(rows["version"]) == {"1"}


def test_models_are_kept_apart_and_a_picture_counts_once_at_its_last_time(tmp_path: Path) -> None:
    keep(tmp_path, [1, 2])
    keep(tmp_path, [1, 3], OTHER)
    keep(tmp_path, [2, 2, 4])
    rows = kept.read(tmp_path, MODEL.digest, 10)
    assert rows["brightness"].tolist() == [1.0, 2.0, 4.0]
    assert kept.read(tmp_path, OTHER.digest, 10)["brightness"].tolist() == [1.0, 3.0]
    assert kept.read(tmp_path, MODEL.digest, 2)["brightness"].tolist() == [2.0, 4.0]
    assert len(kept.read(tmp_path, "f" * 64, 10)) == 0


def test_nothing_kept_is_an_empty_table(tmp_path: Path) -> None:
    assert len(kept.read(tmp_path, MODEL.digest, 10)) == 0


def test_the_oldest_are_forgotten_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_PART", 10)
    for first in range(0, 100, 5):
        keep(tmp_path, list(range(first, first + 5)), limit=20)
    rows = kept.read(tmp_path, MODEL.digest, 1000)
    assert rows["brightness"].tolist() == [float(n) for n in range(80, 100)]


def test_one_process_fills_a_file_before_it_begins_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_PART", 10)
    keep(tmp_path, list(range(35)))
    sizes = [kept._length(path) for path in kept.parts(tmp_path / kept.FOLDER)]
    assert sizes == [10, 10, 10, 5]


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 10_000, seconds=0.01)

    def work(first: int) -> None:
        for n in range(first, first + 25):
            look = {**keeper.look("image", picture(n % 256), picture(n % 256)), "id": f"{n:032x}"}
            keeper.put(MODEL, [look], CLASSES, np.array([[0.5, 0.5]]))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keeper.close()
    assert sorted(kept.read(tmp_path, MODEL.digest, 1000)["id"]) == [f"{n:032x}" for n in range(200)]


def test_what_comes_faster_than_the_disk_is_counted_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept, "_WAITING", 3)
    keep(tmp_path, [1, 2, 3, 4, 5])
    assert len(kept.read(tmp_path, MODEL.digest, 10)) == 3
    assert "2 predictions were not kept" in capfd.readouterr().err


def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".convoy").write_text("in the way")
    keep(tmp_path, [1, 2])
    err = capfd.readouterr().err
    assert err.count("predictions are not kept") == 1
    assert "Traceback" not in err


def test_neither_names_nor_pixels_are_kept(tmp_path: Path) -> None:
    keep(tmp_path, [200])
    [path] = kept.parts(tmp_path / kept.FOLDER)
    assert encoded(picture(200)) not in path.read_bytes()
    assert bytes([200] * 36) not in path.read_bytes()
    assert set(kept.read(tmp_path, MODEL.digest, 1).columns) == {
        "at", "id", "model", "version", "digest", "prediction", "confidence", "brightness", "contrast",
        "sharpness", "width", "height",
    }  # fmt: skip


def test_a_process_that_is_killed_leaves_whole_files_alone(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; import numpy as np\n"
        "from convoy.monitor.kept import Keeper; from convoy.serving.source import Reference\n"
        "keeper = Keeper(Path(sys.argv[1]), 100000, seconds=0.0)\n"
        "n = 0\n"
        "while True:\n"
        "    look = {'id': f'{n:032x}', 'brightness': 1.0, 'contrast': 1.0, 'sharpness': 1.0}\n"
        "    keeper.put(Reference('digits', '1', 'd' * 64), [look], ['a', 'b'], np.array([[0.2, 0.8]]))\n"
        "    n += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    try:
        while not kept.parts(tmp_path / kept.FOLDER):
            assert process.poll() is None
    finally:
        process.kill()
        process.wait(10)
    rows = kept.read(tmp_path, MODEL.digest, 100_000)
    ids = sorted(rows["id"])
    assert ids == [f"{n:032x}" for n in range(len(ids))]
    assert len(ids) > 0
