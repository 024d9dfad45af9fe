import base64
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.figure import Figure

from convoy.data import fonts

SIMPLIFIED = ["猫咪", "狗", "桌子", "龙", "雨伞", "Café Ωμέγα", "Привет", "ひらがな", "カタカナ", "全角,。"]
NOWHERE = "\N{CUNEIFORM SIGN A}"


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine without any Chinese typeface."""
    monkeypatch.setattr(fonts, "_INSTALLED", ())
    fonts._installed.cache_clear()
    yield
    fonts._installed.cache_clear()


def drawn(text: str, families: list[str]) -> bytes:
    with mpl.rc_context({"font.family": families}):
        figure = Figure(figsize=(3, 1))
        figure.text(0.1, 0.5, text)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="raw")
    return buffer.getvalue()


@pytest.mark.parametrize("text", SIMPLIFIED)
def test_names_are_drawn_without_a_missing_glyph(text: str) -> None:
    assert fonts.missing([text]) == set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(text, fonts.families([text])) != drawn("\N{WHITE SQUARE}" * len(text), fonts.families())


def test_every_character_of_gb_2312_is_shipped() -> None:
    pairs = (bytes([a, b]) for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF))
    characters = {text for pair in pairs if len(text := pair.decode("gb2312", "ignore")) == 1}
    assert len(characters) == 6763
    assert fonts.missing(characters) == set()


def test_plain_letters_look_as_they_do_without_the_chinese_typeface() -> None:
    assert drawn("cat 0.98", fonts.families(["cat"])) == drawn("cat 0.98", ["DejaVu Sans"])


def test_letters_that_nothing_has_are_told_and_a_number_stands_for_the_name() -> None:
    assert fonts.missing(["猫", f"a {NOWHERE}"]) == {NOWHERE}
    assert fonts.shown(["猫", f"a {NOWHERE}", "b"]) == ["猫", "#1", "b"]


def test_an_installed_typeface_is_asked_for_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_INSTALLED", ("STIXGeneral", "DejaVu Serif"))
    fonts._installed.cache_clear()
    monkeypatch.setattr(fonts, "_latin", lambda: frozenset("abc"))
    assert fonts.families(["ab"]) == ["DejaVu Sans", fonts.FAMILY]
    only_there = "\N{GREEK CAPITAL LETTER ALPHA WITH TONOS}"  # which every style of it has
    assert fonts.families([only_there]) == ["DejaVu Sans", fonts.FAMILY, "STIXGeneral"]
    assert fonts.missing([only_there]) == set()


def test_of_an_installed_typeface_the_regular_style_counts_in_whatever_order_the_files_were_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = font_manager.fontManager
    styles = [entry for entry in manager.ttflist if entry.name == "STIXGeneral"]
    others = [entry for entry in manager.ttflist if entry.name != "STIXGeneral"]
    assert len(styles) == 4
    regular = fonts._covered(Path(mpl.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf")
    for first in styles:
        ordered = [first, *(each for each in styles if each is not first), *others]
        monkeypatch.setattr(manager, "ttflist", ordered)
        monkeypatch.setattr(fonts, "_INSTALLED", ("No Such Family", "STIXGeneral"))
        fonts._installed.cache_clear()
        manager._findfont_cached.cache_clear()
        assert fonts._installed() == (("STIXGeneral", regular),)


def test_a_page_carries_the_chinese_letters_that_it_shows_and_no_others() -> None:
    rule = fonts.web_face("<h1>猫 and 狗</h1>")
    assert fonts.web_face("<h1>猫 and 狗</h1>") == rule
    code = re.search(r"base64,([^)]+)\)", rule)
    assert code is not None
    font = TTFont(io.BytesIO(base64.b64decode(code[1])))
    assert {chr(number) for number in font.getBestCmap()} == {"猫", "狗"}
    assert len(rule) < 5_000
    assert f'font-family: "{fonts.FAMILY}"' in rule


def test_a_page_without_chinese_letters_carries_none() -> None:
    assert fonts.web_face("<h1>cats – “dogs” Ω</h1>") == ""


def test_the_typeface_is_small_has_a_name_of_its_own_and_its_licence_beside_it() -> None:
    assert fonts.FILE.stat().st_size < 3_000_000
    assert "SIL OPEN FONT LICENSE" in fonts.FILE.with_name("OFL.txt").read_text(encoding="utf-8")
    with TTFont(fonts.FILE) as font:
        names = [str(record) for record in font["name"].names if record.nameID in (1, 4, 6)]
    assert fonts.FAMILY in names
    assert not [name for name in names if "Noto" in name or "Source" in name]
