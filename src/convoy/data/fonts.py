"""The typefaces of everything that is drawn, so that no name is a row of boxes.

DejaVu Sans, which matplotlib ships, comes first; then a cut of Noto Sans SC that convoy ships (GB 2312, kana,
Greek, Cyrillic); then whatever installed typeface has a letter that neither knows. The first two are the same
on every machine, so the same numbers and names give the same bytes.
"""

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

FILE = Path(__file__).with_name("typefaces") / "ConvoySansSC-Regular.ttf"
FAMILY = "Convoy Sans SC"

_LATIN = "DejaVu Sans"
_INSTALLED = (
    "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC",
    "Noto Sans TC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Microsoft YaHei", "SimHei", "SimSun", "PingFang SC", "Heiti SC", "Malgun Gothic", "Noto Sans KR",
    "Arial Unicode MS", "Droid Sans Fallback", "Noto Sans", "Noto Emoji",
)  # fmt: skip
_FIRST_WIDE = 0x2E80  # where the scripts begin that the usual typefaces of a browser's machine may lack


def families(texts: Iterable[str] = ()) -> list[str]:
    """For matplotlib's `font.family`: the first family that has a letter draws it.

    Args:
        texts: what will be drawn; it decides which installed typefaces are added.
    """
    _register()
    left = _letters(texts) - _known()
    chosen = [_LATIN, FAMILY]
    for family, has in _installed() if left else ():
        if left & has:
            chosen.append(family)
            left -= has
    return chosen


def missing(texts: Iterable[str]) -> set[str]:
    """Letters that no typeface here has."""
    left = _letters(texts) - _known()
    for _, has in _installed() if left else ():
        left -= has
    return left


def shown(names: Sequence[str]) -> list[str]:
    """Names as they can be drawn: `#3` stands for the one at 3 where a letter of it cannot."""
    gone = missing(names)
    return [f"#{number}" if gone & set(name) else name for number, name in enumerate(names)]


def web_face(text: str) -> str:
    """A CSS rule with the Chinese and Japanese letters of a page in it, for machines that have none.

    Returns:
        `@font-face` for the family FAMILY; empty where the page needs no such letter.
    """
    wanted = {letter for letter in _letters([text]) if ord(letter) >= _FIRST_WIDE} & _shipped()
    if not wanted:
        return ""
    code = base64.b64encode(_cut(wanted)).decode("ascii")
    return (
        f'@font-face {{ font-family: "{FAMILY}"; src: url(data:font/woff;base64,{code}) format("woff"); }}\n'
    )


def _cut(letters: set[str]) -> bytes:
    """The shipped typeface with these letters alone, as WOFF; the same letters give the same bytes."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options()
    options.name_IDs = [0, 1, 2, 13, 14]  # the licence goes with it
    options.notdef_outline = True
    options.flavor = "woff"
    with TTFont(FILE, recalcTimestamp=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=sorted(map(ord, letters)))
        cutter.subset(font)
        font.flavor = "woff"
        buffer = BytesIO()
        font.save(buffer)
    return buffer.getvalue()


def _letters(texts: Iterable[str]) -> set[str]:
    """What needs a glyph: neither blanks nor line ends."""
    return {letter for text in texts for letter in text if not letter.isspace()}


def _known() -> frozenset[str]:
    return _latin() | _shipped()


@cache
def _shipped() -> frozenset[str]:
    return _covered(FILE)


@cache
def _latin() -> frozenset[str]:
    from matplotlib import font_manager

    return _covered(font_manager.findfont(_LATIN))


@cache
def _installed() -> tuple[tuple[str, frozenset[str]], ...]:
    """Installed families that may help, in the order of preference, with the letters that they have."""
    found = ((name, _regular(name)) for name in _INSTALLED)
    return tuple((name, _covered(file)) for name, file in found if file is not None)


def _regular(family: str) -> str | None:
    """The file of a family's regular style, which is the one that matplotlib draws with; None: not installed.

    Its list holds all styles, in the order in which it met the files, and a bold cut may have fewer letters.
    """
    from matplotlib import font_manager

    regular = font_manager.FontProperties(
        family=family, style="normal", variant="normal", weight="normal", stretch="normal"
    )
    try:
        return font_manager.findfont(regular, fallback_to_default=False)
    except ValueError:
        return None


def _covered(file: str | Path) -> frozenset[str]:
    from matplotlib import font_manager

    return frozenset(map(chr, font_manager.get_font(file).get_charmap()))


def _register() -> None:
    """Tell matplotlib of the shipped typeface, once."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    if not any(entry.name == FAMILY for entry in manager.ttflist):
        manager.addfont(FILE)
