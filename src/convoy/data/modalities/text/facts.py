"""What reading a text tells: its length, its script, whether another one says nearly the same.

Columns of the table, by row of the samples:

bytes, characters, words  of the text; words as `tokens: words` would cut it
script   the script of most letters, such as latin or han; empty where there is none
foreign  share of characters that a wrong encoding leaves behind
reason   None, or: missing, empty, undecodable
detail   the reason in a sentence
"""

import hashlib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import opening
from convoy.data.modalities.text import tokens
from convoy.data.similarity import Twins
from convoy.data.sources._base import Reader
from convoy.errors import ConfigError, DataError

_COLUMNS = ("bytes", "characters", "words", "script", "foreign", "reason", "detail")
_PLAIN = {"normalise": "NFKC", "lowercase": True, "tokens": "words"}
_LOOKED_AT = 200  # letters that tell the script
_MARKS = ("\ufffd", "Ã", "â€", "锟斤拷", "Â\xa0")  # of text that was read in a wrong encoding


@dataclass(frozen=True)
class Facts:
    """Facts of a table's samples, see above.

    Attributes:
        texts: by the samples' index; empty where there is none.
        opened: how many texts were read. known: none is kept between runs, reading is cheap.
    """

    table: pd.DataFrame
    texts: "pd.Series[str]"
    opened: int
    known: int = 0

    def twins(self, ids: list[str]) -> Twins:  # noqa: ARG002
        """Pairs of texts that differ in case, blanks and punctuation alone."""
        return self._twins

    @cached_property
    def _twins(self) -> Twins:
        first: dict[str, int] = {}
        pairs = []
        for place, text in enumerate(self.texts):
            bare = bare_form(text)
            if bare and first.setdefault(bare, place) != place:
                pairs.append((first[bare], place))
        return Twins(np.array(pairs, np.int64).reshape(-1, 2))


def of(
    samples: pd.DataFrame,
    data: DataConfig,
    config: ValidateConfig,
    base: Path = Path(),
    *,
    processes: int | None = None,
) -> Facts:
    """Facts of all samples.

    Raises:
        ConfigError: doubtful labels are asked for.
        DataError: the source cannot be opened.
    """
    checks = config.checks
    if "label_issues" in checks.model_fields_set and checks.label_issues != "off":
        raise ConfigError(
            "no check doubts the labels of texts: the one there is looks at pictures",
            where="params.yaml: validate.checks.label_issues",
            fix="remove the line; the report of `evaluate` shows the texts that the model gets wrong",
        )
    read = opening.reader(data, base)
    found = [_read(read, path) for path in samples["path"]]
    rows = [(*_measured(text), reason, detail) for text, reason, detail in found]
    table = pd.DataFrame(rows, index=samples.index, columns=list(_COLUMNS))
    for name in ("reason", "detail"):
        column = table[name].astype(object)
        table[name] = column.where(column.notna(), None)
    texts = pd.Series([text for text, _, _ in found], index=samples.index, dtype=object)
    return Facts(table, texts, len(rows))


def _read(read: Reader, path: str) -> tuple[str, str | None, str | None]:
    try:
        content = read(path)
    except DataError as error:
        return "", "missing", error.what
    assert isinstance(content, bytes)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", "undecodable", f"byte {error.start} is not UTF-8"
    if not _words(text):
        return "", "empty", "it holds no word"
    return text, None, None


def _measured(text: str) -> tuple[int, int, int, str, float]:
    damaged = sum(text.count(mark) * len(mark) for mark in _MARKS)
    share = round(damaged / max(1, len(text)), 4)
    return len(text.encode("utf-8")), len(text), len(_words(text)), script(text), share


def _words(text: str) -> list[str]:
    return tokens.words(tokens.normalised(text, _PLAIN))


def script(text: str) -> str:
    """Of most letters."""
    letters = [character for character in text if character.isalpha()][:_LOOKED_AT]
    counts = Counter(_script(character) for character in letters)
    return min(counts, key=lambda name: (-counts[name], name), default="")


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """The first word of the character's name: latin, cyrillic, cjk (here han), hiragana …"""
    word = unicodedata.name(character, "unknown").split()[0].lower()
    return "han" if word.startswith("cjk") else word


def bare_form(text: str) -> str:
    """Letters and digits alone, folded, as a digest: what nearly equal texts share."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(character for character in folded if character.isalnum())
    return hashlib.sha256(bare.encode("utf-8")).hexdigest()[:32] if bare else ""
