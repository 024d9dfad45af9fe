import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from convoy.data import fonts
from convoy.evaluation import pictures

MATRIX = np.array([[5, 1], [0, 4]])


def draw(classes: list[str], path: Path) -> bytes:
    pictures.confusion(MATRIX, classes, path)
    return path.read_bytes()


def test_chinese_names_need_no_installed_typeface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_INSTALLED", ())
    fonts._installed.cache_clear()
    drawn = draw(["猫", "狗"], tmp_path / "a.png")  # a missing glyph would warn, and warnings are errors here
    assert drawn != draw(["狗", "猫"], tmp_path / "b.png")
    history = pd.DataFrame({"epoch": [0], "train_loss": [1.0], "val_loss": [1.0], "val_accuracy": [0.5]})
    pictures.curves(history, tmp_path / "curves.png")
    wrong = pd.DataFrame({"target": ["猫"], "prediction": ["狗"], "confidence": [0.9]})
    pictures.mistakes(wrong, np.zeros((1, 8, 8, 1), np.uint8), ["猫", "狗"], tmp_path / "m.png")


def test_a_name_that_no_typeface_has_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_INSTALLED", ())
    fonts._installed.cache_clear()
    drawn = draw(["猫", "\N{CUNEIFORM SIGN A}"], tmp_path / "a.png")
    assert drawn == draw(["猫", "#1"], tmp_path / "b.png")


def test_a_model_without_mistakes_has_a_picture_that_says_so(tmp_path: Path) -> None:
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
