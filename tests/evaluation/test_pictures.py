import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convoy.evaluation import pictures

MATRIX = np.array([[5, 1], [0, 4]])


def draw(classes: list[str], path: Path) -> bytes:
    pictures.confusion(MATRIX, classes, path)
    return path.read_bytes()


def test_ascii_names_are_drawn_alike_whatever_fonts_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = draw(["cat", "dog"], tmp_path / "a.png")
    monkeypatch.setattr(pictures, "_cjk_font", lambda: "DejaVu Serif")  # stands for a Chinese font
    assert draw(["cat", "dog"], tmp_path / "b.png") == before


def test_other_names_are_drawn_in_the_font_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for font in ("DejaVu Serif", "DejaVu Sans Mono"):
        monkeypatch.setattr(pictures, "_cjk_font", lambda font=font: font)
        drawn.append(draw(["é", "ü"], tmp_path / "a.png"))
    assert drawn[0] != drawn[1]


def test_without_a_chinese_font_a_number_stands_for_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_cjk_font", lambda: None)
    assert pictures.labels(["cat", "狗"]) == ["cat", "#1"]
    draw(["猫", "狗"], tmp_path / "a.png")  # a missing glyph would warn, and warnings are errors here


def test_a_model_without_mistakes_has_a_picture_that_says_so(tmp_path: Path) -> None:
    import pandas as pd

    empty = pd.DataFrame({"target": [], "prediction": [], "confidence": []})
    pictures.mistakes(empty, np.zeros((0, 8, 8, 1), np.uint8), ["a"], tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as image:
        assert image.width > 100


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_picture_is_inside_a_page_pixel_by_pixel(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 20, channels), dtype=np.uint8)
    found = pictures.thumbnail(image)
    assert (found.width, found.height, found.small) == (20, 28, True)
    assert found.uri.startswith("data:image/png;base64,")
    assert (np.asarray(decoded(found.uri)).reshape(image.shape) == image).all()
    assert pictures.thumbnail_uri(image) == found.uri


def test_a_large_picture_is_reduced_and_keeps_its_shape() -> None:
    image = np.zeros((600, 300, 3), np.uint8)
    image[:300] = [200, 30, 30]
    found = pictures.thumbnail(image)
    assert (found.width, found.height, found.small) == (88, 176, False)
    shown = np.asarray(decoded(found.uri).convert("RGB")).astype(int)
    assert abs(shown[20, 44] - [200, 30, 30]).max() < 12
    assert shown[150, 44].max() < 12
    assert len(found.uri) < 5_000


@pytest.mark.parametrize("channels", [1, 3])
def test_heat_brightens_a_dimmed_picture_where_it_is(channels: int) -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    mixed = pictures.overlay(np.full((4, 4, channels), 100, np.uint8), heat)
    assert mixed.shape == (4, 4, 3)
    assert mixed[3, 3].tolist() == [60, 60, 60]
    red, green, blue = mixed[0, 0].tolist()
    assert red > 180
    assert red > green > blue
