import sys

import pytest

from convoy import plugins
from convoy.config.data import TextPrepareConfig
from convoy.data.modalities.text import tokens
from convoy.errors import ResourceError

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


@pytest.fixture
def rjieba() -> None:
    pytest.importorskip("rjieba", reason="rjieba (requirements-dev.lock) is not installed")


@pytest.mark.usefixtures("rjieba")
def test_chinese_is_cut_into_words_and_what_is_not_chinese_stays_whole() -> None:
    cut = tokens.cutter({**SPEC, "tokens": "chinese"})
    assert cut("送餐很快，味道好") == ["送餐", "很快", ",", "味道", "好"]  # NFKC makes the comma a plain one
    assert cut("骑士  very NICE 送餐") == ["骑士", "very", "nice", "送餐"]
    assert cut(" \u3000 ") == []
    encode = tokens.Encoder({**SPEC, "tokens": "chinese"}, ["<pad>", "<unk>", "送餐"])
    assert encode("送餐很快送餐").tolist() == [2, 1, 2]


@pytest.mark.usefixtures("rjieba")
def test_what_serves_a_model_of_chinese_cuts_alike() -> None:
    fitted = plugins.load("preparing", "text").stand_in(TextPrepareConfig(tokens="chinese"), ["好", "坏"])
    assert plugins.load("input", "text").of(fitted).prepare("送餐很快").shape == (2,)


def test_without_rjieba_a_run_ends_before_it_begins_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rjieba", None)
    section = TextPrepareConfig(tokens="chinese")
    with pytest.raises(ResourceError, match="needs the package rjieba") as error:
        plugins.load("preparing", "text").stand_in(section, ["a", "b"])
    assert error.value.exit_code == 5
    assert 'pip install "convoy[text]"' in error.value.fix
