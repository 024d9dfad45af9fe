from pathlib import Path

import numpy as np
import pandas as pd

from convoy.data.sources._base import Reader
from convoy.evaluation import label_gallery
from tests.data.pictures import MAX_PIXELS, encoded, noise
from tests.evaluation.reporting import Page


def listed(count: int, doubted: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"{n:032x}" for n in range(count)],
            "path": [f"猫/{n}.png" for n in range(count)],
            "target": "猫",
            "suggested": "<b>dog</b>",
            "confidence": np.linspace(1, 0.5, count),
            "given": np.linspace(0, 0.4, count),
            "doubted": np.arange(count) < doubted,
        }
    )


READ = Reader(lambda path: encoded(noise(len(path))))


def test_the_page_and_the_table_list_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    label_gallery.write(tmp_path, listed(5, 2), READ, MAX_PIXELS, tmp_path / "cache")
    page = Page((tmp_path / "labels.html").read_text(encoding="utf-8"))
    words = page.text()
    order = ["Doubtful labels", "convoy data fix", "Probably wrong", "2 pictures", "1. 猫 → <b>dog</b>",
             "0.00 → 1.00", "0.png", "2. 猫", "Next in doubt", "3 pictures", "5. 猫", "4.png"]  # fmt: skip
    places = [words.index(part) for part in order]
    assert places == sorted(places)
    assert len(page.all("img")) == 5
    table = pd.read_csv(tmp_path / "fixes.csv", dtype=str)
    assert table["path"].tolist() == [f"猫/{n}.png" for n in range(5)]


def test_the_same_rows_give_the_same_bytes_with_and_without_a_cache(tmp_path: Path) -> None:
    for name, cache in (("a", None), ("b", tmp_path / "cache"), ("c", tmp_path / "cache")):
        label_gallery.write(tmp_path / name, listed(3, 3), READ, MAX_PIXELS, cache)
    pages = {(tmp_path / name / "labels.html").read_bytes() for name in "abc"}
    assert len(pages) == 1


def test_beyond_two_hundred_pictures_the_table_goes_on(tmp_path: Path) -> None:
    label_gallery.write(tmp_path, listed(230, 230), READ, MAX_PIXELS)
    page = Page((tmp_path / "labels.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 200
    assert "30 more stand in fixes.csv" in page.text()
    assert len(pd.read_csv(tmp_path / "fixes.csv")) == 230


def test_nothing_doubted_is_said(tmp_path: Path) -> None:
    label_gallery.write(tmp_path, listed(0, 0), READ, MAX_PIXELS)
    assert "No label is doubted." in (tmp_path / "labels.html").read_text(encoding="utf-8")
    assert len((tmp_path / "fixes.csv").read_text(encoding="utf-8-sig").splitlines()) == 1
