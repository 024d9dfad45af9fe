"""From a text to token ids, as a trained model does it. Travels with the bundle: standard library and numpy.

<pad>  id 0, behind shorter texts of a batch
<unk>  id 1, every token that the vocabulary does not hold
"""

import importlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAD, UNKNOWN = "<pad>", "<unk>"
SPECIAL = (PAD, UNKNOWN)

# Ideographs and kana, which are written without blanks between words.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ALONE = re.compile(f"([{_UNSPACED}])")
_WORD = re.compile(r"['\u2019]\w+|\w+|[^\w\s]")


class NoTokens(ValueError):
    """The text holds no token."""


class NoSegmenter(ImportError):
    """rjieba, which tokens: chinese needs, is not installed."""


def normalised(text: str, spec: Mapping[str, Any]) -> str:
    """The text in the Unicode form, case and blanks of the spec."""
    if spec["normalise"] != "none":
        text = unicodedata.normalize(spec["normalise"], text)
    return " ".join((text.lower() if spec["lowercase"] else text).split())


def cutter(spec: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """Cuts a text into tokens.

    Raises:
        NoSegmenter: the spec asks for Chinese segmentation, and rjieba is not there.
    """
    if spec["tokens"] == "characters":
        cut: Callable[[str], list[str]] = characters
    elif spec["tokens"] == "chinese":
        cut = segmenter()
    else:
        cut = words
    return lambda text: cut(normalised(text, spec))


def words(text: str) -> list[str]:
    """Words, punctuation marks and single ideographs; 's and the like are tokens of their own."""
    return _WORD.findall(_ALONE.sub(r" \1 ", text))


def characters(text: str) -> list[str]:
    """All but blanks."""
    return [character for character in text if not character.isspace()]


def segmenter() -> Callable[[str], list[str]]:
    """Words of Chinese by jieba's dictionary."""
    try:
        rjieba = importlib.import_module("rjieba")
    except ImportError:
        raise NoSegmenter("tokens: chinese needs the package rjieba, which is not installed") from None
    return lambda text: [word for word in rjieba.cut(text) if not word.isspace()]


class Encoder:
    """Text -> ids.

    Args:
        spec: as of preprocessor.json.
        vocabulary: the tokens by id; the first two are PAD and UNKNOWN.

    Raises:
        NoSegmenter: see `cutter`.
    """

    def __init__(self, spec: Mapping[str, Any], vocabulary: Sequence[str]) -> None:
        self._cut = cutter(spec)
        self._most = int(spec["max_length"])
        self._ids = {token: number for number, token in enumerate(vocabulary)}
        self._unknown = SPECIAL.index(UNKNOWN)

    def tokens(self, text: str) -> list[str]:
        """Those that count: at most max_length."""
        return self._cut(text)[: self._most]

    def ids(self, tokens: Iterable[str]) -> NDArray[np.int32]:
        return np.array([self._ids.get(token, self._unknown) for token in tokens], np.int32)

    def __call__(self, text: str) -> NDArray[np.int32]:
        """Raises:
        NoTokens: there is nothing in the text.
        """
        tokens = self.tokens(text)
        if not tokens:
            raise NoTokens("the text is empty")
        return self.ids(tokens)


def batch(samples: Sequence[NDArray[np.integer[Any]]]) -> NDArray[np.int64]:
    """(N, longest) ids, shorter ones padded behind."""
    result = np.zeros((len(samples), max(map(len, samples), default=1)), np.int64)
    for row, sample in enumerate(samples):
        result[row, : len(sample)] = sample
    return result
