import sys

import pytest

from convoy.data.modalities.text import tokens

SPEC = {"tokens": "words", "normalise": "NFKC", "lowercase": True, "max_length": 5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop!", ["don", "'t", "stop", "!"]),
        ("  ＦＵＬＬ　width ", ["full", "width"]),
        ("送餐快 very快", ["送", "餐", "快", "very", "快"]),
        ("Zürich_2 é", ["zürich_2", "é"]),
        ("\n\t", []),
    ],
)
def test_words_are_cut_alike_in_any_script(text: str, expected: list[str]) -> None:
    assert tokens.cutter(SPEC)(text) == expected


def test_characters_are_all_but_blanks() -> None:
    assert tokens.cutter({**SPEC, "tokens": "characters"})("A b\u3000好") == ["a", "b", "好"]


def test_unknown_tokens_share_one_id_and_long_texts_are_cut() -> None:
    encode = tokens.Encoder(SPEC, ["<pad>", "<unk>", "b", "a"])
    assert encode("a b c a b a a").tolist() == [3, 2, 1, 3, 2]


def test_an_empty_text_has_no_ids() -> None:
    with pytest.raises(tokens.NoTokens):
        tokens.Encoder(SPEC, ["<pad>", "<unk>"])(" \u3000 ")


def test_without_rjieba_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(tokens.NoSegmenter, match="rjieba"):
        tokens.Encoder({**SPEC, "tokens": "chinese"}, [])
