"""Which column of a table is the text: by the length of its values, and by how few of them repeat."""

import re
from collections.abc import Sequence
from statistics import mean

import pandas as pd

from convoy.errors import ConfigError
from convoy.scaffold import columns
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import Options
from convoy.scaffold.survey import spread

_NAMES = (
    "text", "review", "review_text", "comment", "sentence", "content", "body", "message", "question", "title",
    "tweet", "document", "description", "文本", "评论", "内容", "正文", "句子", "问题", "标题", "留言",
)  # fmt: skip
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_LOOKED_AT = 1_000
_WORDS = 3.0  # mean words of a value; from here on it may be a text
_SENTENCE = 8.0  # … and from here on it is one for sure
_DISTINCT = 0.5  # share of values that stand only once; reviews repeat seldom, labels always
_LETTERS = 0.5  # share of the characters; dates, numbers and addresses have fewer
_LONGER = 3.0  # times the words of the next column, for the choice between two
_FEATURES = 2  # other columns that may be features, from which on it may be a table


def options(table: pd.DataFrame, wishes: Wishes, where: str, *, rivals: Sequence[str]) -> Options | None:
    """The columns as section `data` calls them; None where no column holds texts.

    Args:
        table: all values as text.
        rivals: other modalities that this could be.

    Raises:
        ConfigError: several columns could be the text or the label, or it may as well be a table of features.
    """
    names = [str(name) for name in table.columns]
    columns.check(wishes, names, where)
    words = {name: found for name in names if (found := _words(table[name])) >= _WORDS}
    text = wishes.text_col or _chosen(words, wishes, where)
    if text is None:
        return None
    sure = wishes.text_col is not None or wishes.modality is not None
    if not sure and (features := _features(table, text, wishes)):
        if words[text] < _SENTENCE and columns.named([text], _NAMES) is None:
            return None
        others = " | ".join(["text", *rivals])
        raise ConfigError(
            f"these may be texts (column {text!r}) or rows of features ({', '.join(map(repr, features))})",
            where=where,
            fix=f"say what a sample is: --modality {others}",
        )
    return {"text_col": text, **columns.options(table, text, wishes, where)}


def headless(names: Sequence[str], table: pd.DataFrame) -> bool:
    """Whether the line of column names looks like a sample: one is text, another one of the labels."""
    texts = [name for name in names if _count(name) >= _WORDS and _is_text(table[name])]
    return bool(texts) and any(name in set(table[name]) for name in names if name not in texts)


def _chosen(words: dict[str, float], wishes: Wishes, where: str) -> str | None:
    left = {name: count for name, count in words.items() if name not in wishes.given().values()}
    if not left:
        return None
    known = columns.named(list(left), _NAMES)
    longest = sorted(left, key=lambda name: -left[name])
    if len(longest) == 1 or left[longest[0]] >= _LONGER * left[longest[1]]:
        return longest[0]
    alike = [name for name in longest if left[name] * _LONGER >= left[longest[0]]]
    if known is not None and columns.named([name for name in alike if name != known], _NAMES) is None:
        return known
    raise ConfigError(
        f"which column is the text? It may be any of {', '.join(map(repr, alike))}",
        where=where,
        fix="say it: --text-col COLUMN",
    )


def _features(table: pd.DataFrame, text: str, wishes: Wishes) -> list[str]:
    """Other columns that may tell the label, where there are so many: no label, no text, no id."""
    left = [str(name) for name in table.columns if str(name) != text]
    roles = columns.roles(left) | set(wishes.given().values())
    found = [
        name
        for name in left
        if name not in roles and 1 < table[name].nunique() < len(table) and not _is_text(table[name])
    ]
    unnamed = wishes.target is None and columns.label(left) is None  # one of them is the label
    return found if len(found) - unnamed >= _FEATURES else []


def _is_text(column: "pd.Series[str]") -> bool:
    return _words(column) >= _WORDS


def _words(column: "pd.Series[str]") -> float:
    """Mean words of a column's values; 0 where they repeat, or are not made of letters."""
    values = [value for value in column if value.strip()]
    looked = [values[number] for number in spread(len(values), _LOOKED_AT)]
    if not looked or len(set(looked)) < _DISTINCT * len(looked):
        return 0.0
    characters = "".join("".join(value.split()) for value in looked)
    if sum(map(str.isalpha, characters)) < _LETTERS * len(characters):
        return 0.0
    return mean(map(_count, looked))


def _count(value: str) -> int:
    """What blanks divide; of ideographs and kana each one. A path or an address is one word."""
    return sum(max(1, len(_UNSPACED.findall(part))) for part in value.split())
