"""What the texts of a data set are like, and parameters that fit them.

Times are those of `textcnn` with 100 filters of 3, 4 and 5 tokens in training on two cores, in fp32.
"""

import importlib.util
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from convoy.data.modalities.text import facts, tokens
from convoy.data.sources._base import Reader, Scan, Task
from convoy.errors import DataError
from convoy.scaffold import choices, survey
from convoy.scaffold.first_run import FirstRun

Tokens = Literal["words", "characters", "chinese"]

_LOOKED_AT = 2_000
_PLAIN = {"normalise": "NFKC", "lowercase": True, "tokens": "words"}
_UNSPACED = ("han", "hiragana", "katakana")
_CUT = 0.99  # of the texts are not cut off
_LENGTHS = (16, 512)  # of which and to which, in steps of 16 tokens
_MANY = 20_000  # texts from which on a token that stands once is no word to learn
# Texts to learn from up to which, epochs, texts in a batch.
_EPOCHS: tuple[tuple[float, int, int], ...] = (
    (300, 40, 8),
    (1_000, 30, 16),
    (8_000, 20, 64),
    (20_000, 15, 64),
    (60_000, 8, 128),
    (float("inf"), 4, 256),
)
_TOKENS_A_SECOND = 100_000.0
_TRAINING_SECONDS = 900.0
_OTHER_SECONDS = 60.0  # all other stages
_RATE_AT_64 = 0.001
_ROBUSTNESS = 1_000


@dataclass(frozen=True)
class TextSurvey:
    """Attributes:
    samples: with a text and a label.
    counts: one row a class, in class order; columns train, val, test, none (no given split), all.
    unlabelled: samples without a usable label or text.
    empty: texts of those looked at without a word.
    given: whether the data name the splits.
    script: of most texts.
    median, long: words and single ideographs of a text: half of them, 99 of 100 have no more.
    """

    samples: int
    counts: pd.DataFrame
    unlabelled: int
    empty: int
    given: bool
    script: str
    median: int
    long: int
    task: Task = "classification"


@dataclass(frozen=True, kw_only=True)
class TextChoices(FirstRun):
    """Attributes:
    tokens: how texts are cut; `segmenter` says whether Chinese could be, too.
    """

    tokens: Tokens
    min_count: int
    max_length: int


def survey_texts(scan: Scan, read: Reader) -> TextSurvey:
    """Count all samples and read up to 2,000, evenly spread."""
    good = survey.usable(scan)
    paths = good["path"].tolist()
    texts = [_text(read, paths[number]) for number in survey.spread(len(paths), _LOOKED_AT)]
    lengths = [len(tokens.words(tokens.normalised(text, _PLAIN))) for text in texts]
    scripts = Counter(facts.script(text) for text in texts)
    said = [count for count in lengths if count] or [0]
    return TextSurvey(
        samples=len(good),
        counts=survey.counted(good, scan.classes),
        unlabelled=len(scan.samples) - len(good),
        empty=lengths.count(0),
        given=bool(good["split"].notna().any()),
        script=min(scripts, key=lambda name: (-scripts[name], name), default=""),
        median=int(np.median(said)),
        long=int(np.quantile(said, _CUT)),
    )


def _text(read: Reader, path: str) -> str:
    try:
        content = read(path)
    except DataError:
        return ""
    assert isinstance(content, bytes)
    return content.decode("utf-8", "replace")


def unspaced(script: str) -> bool:
    """Whether the script has no blanks between words."""
    return script in _UNSPACED


def segmenter() -> bool:
    """Whether rjieba is there."""
    return importlib.util.find_spec("rjieba") is not None


def choose(seen: TextSurvey) -> TextChoices:
    """Parameters for what was seen."""
    train, test = choices.sides(seen)
    wanted, batch = next((epochs, size) for most, epochs, size in _EPOCHS if train <= most)
    least, most = _LENGTHS
    length = min(most, max(least, -(-seen.long // 16) * 16))
    epoch_seconds = max(1.0, train * max(seen.median, 5) / _TOKENS_A_SECOND)
    epochs = max(2, min(wanted, int(_TRAINING_SECONDS / epoch_seconds)))
    metric, base = choices.base(seen)
    return TextChoices(
        tokens=_tokens(seen.script),
        min_count=2 if train >= _MANY else 1,
        max_length=length,
        epochs=epochs,
        batch_size=batch,
        lr=round(_RATE_AT_64 * max(0.5, (batch / 64) ** 0.5), 4),
        metric=metric,
        minimum=choices.above(base),
        max_ece=choices.calibration_bound(test),
        robustness_samples=min(_ROBUSTNESS, test),
        minutes=max(1, round((epochs * epoch_seconds + _OTHER_SECONDS) / 60)),
    )


def _tokens(script: str) -> Tokens:
    if not unspaced(script):
        return "words"
    return "chinese" if script == "han" and segmenter() else "characters"
