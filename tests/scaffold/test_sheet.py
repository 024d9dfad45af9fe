from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convoy.config.data import DataConfig
from convoy.data import fonts, opening
from convoy.scaffold import sheet, survey
from tests.scaffold.toys import class_folders, pictures


def look(root: Path) -> tuple[survey.Survey, Path]:
    data = DataConfig(source="image_folder", path=str(root))
    scan, read = opening.scan(data), opening.reader(data)
    path = sheet.contact_sheet(scan, read, root.parent / "sheet.png")
    return survey.survey(scan, read), path


def test_each_class_has_a_row_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = class_folders(tmp_path / "data")
    _, path = look(folder)
    before = path.read_bytes()
    with Image.open(path) as image:
        pixels = np.asarray(image)
    assert pixels.shape[0] == 2 * (sheet._TEXT + sheet._TILE + 2 * sheet._GAP) + sheet._GAP
    tiles = pixels[sheet._GAP + sheet._TEXT :][: sheet._TILE, sheet._GAP :][:, : sheet._TILE]
    assert len(np.unique(tiles.reshape(-1, 3), axis=0)) > 50
    assert look(folder)[1].read_bytes() == before
    monkeypatch.setattr(fonts, "shown", lambda names: ["#0" for _ in names])
    assert look(folder)[1].read_bytes() != before  # the names are drawn


def test_what_does_not_open_is_a_crossed_tile_and_told(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "data")
    broken = pictures(folder)[0]
    broken.write_bytes(broken.read_bytes()[:40])
    seen, path = look(folder)
    assert list(seen.unreadable) == [broken.relative_to(folder).as_posix()]
    with Image.open(path) as image:
        assert sheet._BROKEN in {colour for _, colour in image.getcolors(1 << 24) or []}


def test_size_and_colour_are_those_of_nearly_all(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "data")
    seen, _ = look(folder)
    assert (seen.side, seen.grey, seen.square, seen.given) == (16, False, False, False)
    for path in pictures(folder):
        Image.fromarray(np.full((30, 30), 7, np.uint8)).save(path)
    seen, _ = look(folder)
    assert (seen.side, seen.grey, seen.square) == (30, True, True)
    assert seen.counts["all"].to_dict() == {"dog": 4, "猫": 4}
