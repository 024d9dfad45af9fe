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
