"""Texts in the report on a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from convoy.data import ragged
from convoy.data.loader import batch_key
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.augmenting import Policy, texts_of
from convoy.data.modalities.text.batching import TOKENS
from convoy.data.store import Store
from convoy.evaluation import pictures, predictions, robustness
from convoy.evaluation.baseline import Codes, Linear
from convoy.evaluation.pictures import Excerpt, Shown, excerpt
from convoy.training.network import Network

NOUNS = "texts"
EXPLAINED = "Marked: what the wrong answer loses most without, the stronger the more."
_UNKNOWN = tokens.SPECIAL.index(tokens.UNKNOWN)
_LEAST = 10  # percent of the greatest loss, from which a token is marked
_MARK = Markup(
    '<mark style="background:color-mix(in srgb, var(--tone-1) {}%, transparent);color:inherit">{}</mark>'
)
_MARKED = 100  # tokens of a text that are looked at
_SHARES = (0.1, 0.2, 0.4)  # of the tokens, by strength
_DAMAGES = {
    "left out": ("word_dropout", "rate", "of the tokens left out"),
    "swapped": ("swap", "rate", "of the tokens swapped with the next"),
    "unknown": ("unknown", "rate", "of the tokens unknown"),
    "cut": ("span_cut", "share", "of the text cut out in one piece"),
}


@dataclass(frozen=True)
class Texts:
    """Token ids of N texts. A slice is a padded batch (n, L) int64; positions are other `Texts`."""

    values: NDArray[Any]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, rows: Any) -> Any:
        if not isinstance(rows, slice):
            return Texts(*ragged.take(self.values, self.bounds, rows))
        values, bounds = ragged.take(self.values, self.bounds, np.arange(len(self))[rows])
        return ragged.padded(values.astype(np.int64), bounds, int(np.diff(bounds).max(initial=1)))

    def changed(self, policy: Policy, seed: int) -> "Texts":
        name = ragged.offsets_of(TOKENS)
        found = policy({TOKENS: self.values, name: self.bounds}, seed)
        return Texts(found[TOKENS], found[name])


def samples(store: Store, preprocessor: Mapping[str, Any]) -> Texts:
    return Texts(*store.field(TOKENS))


def measures(store: Store) -> dict[str, NDArray[Any]]:
    """Columns of the predictions table."""
    return measured(samples(store, {})[:])


def measured(batch: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """tokens (N,), and how many percent of them are unknown, of a padded batch."""
    lengths = (batch != 0).sum(axis=1)
    unknown = (batch == _UNKNOWN).sum(axis=1) / np.maximum(lengths, 1)
    return {"tokens": lengths.astype(np.float64), "unknown": (100 * unknown).round(1)}


def changed(policy: Policy, texts: Texts, rows: slice, seed: int) -> Texts:
    """Some of the samples, augmented."""
    some: Texts = texts[np.arange(len(texts))[rows]]
    return some.changed(policy, seed)


def damaged(
    texts: Texts, target: Codes, answer: Callable[[Texts], Codes], *, confidence: float, seed: int
) -> pd.DataFrame:
    """Accuracy where tokens are left out, swapped, unknown or cut out, at three strengths."""
    rows: list[tuple[str, int, str, int, int]] = []
    if len(texts):
        for kind, (name, key, words) in _DAMAGES.items():
            for strength, share in enumerate(_SHARES, 1):
                policy = Policy([{"name": name, key: share, "p": 1.0}])
                answers = answer(texts.changed(policy, batch_key(seed, 0, len(rows))))
                rows.append(
                    (kind, strength, f"{share:.0%} {words}", len(texts), int((answers == target).sum()))
                )
    return robustness.tabled(rows, confidence)


def shown(store: Store, rows: NDArray[np.int64]) -> Sequence[Shown]:
    """What reports show of the samples at `rows`."""
    return [excerpt(text) for text in texts_of(store, rows)]


def explained(
    network: Network,
    store: Store,
    rows: NDArray[np.int64],
    classes: Codes,
    preprocessor: Mapping[str, Any],
) -> list[tuple[Shown, Shown | None]]:
    """The texts as their tokens; those without which the class loses most (in log-odds) are marked."""
    encoder = tokens.Encoder(preprocessor["spec"], preprocessor["vocabulary"])
    found: list[tuple[Shown, Shown | None]] = []
    for text, label in zip(texts_of(store, rows), classes.tolist(), strict=True):
        cut = encoder.tokens(text)
        ids = encoder.ids(cut).astype(np.int64)
        looked = min(len(ids), _MARKED)
        hidden = np.repeat(ids[None], looked + 1, axis=0)
        hidden[np.arange(looked), np.arange(looked)] = _UNKNOWN  # the last row is the text itself
        odds = _log_odds(predictions.logits(network, hidden), label)
        found.append((_marked(cut, np.maximum(odds[-1] - odds[:-1], 0)), None))
    return found


def draw_mistakes(
    wrong: pd.DataFrame, store: Store, rows: NDArray[np.int64], classes: Sequence[str], path: Path
) -> None:
    """mistakes.png: the samples at `rows`, which are those of `wrong`."""
    pictures.mistaken_texts(wrong, texts_of(store, rows), classes, path)


def tfidf_linear(training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
    """Answers of logistic regressions, one a class, on TF-IDF of tokens and of pairs of them."""
    target = training.target[chosen]
    if len(np.unique(target)) == 1:
        return np.full(len(test), target[0])
    weights = TfidfVectorizer(analyzer=_ones_and_pairs, sublinear_tf=True)
    features = weights.fit_transform(_ids(training, chosen))
    model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="liblinear")).fit(features, target)
    answers: Codes = model.predict(weights.transform(_ids(test, np.arange(len(test))))).astype(np.int64)
    return answers


BASELINES: Mapping[str, Linear] = {"tfidf_linear": tfidf_linear}


def _ids(store: Store, rows: NDArray[np.int64]) -> list[list[int]]:
    """Lists of token ids."""
    values, bounds = ragged.take(*store.field(TOKENS), rows)
    return [part.tolist() for part in np.split(values, bounds[1:-1])]


def _ones_and_pairs(ids: list[int]) -> list[str]:
    return [*map(str, ids), *(f"{one} {following}" for one, following in pairwise(ids))]


def _log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    others = np.logaddexp.reduce(np.delete(values, label, axis=1), axis=1)
    odds: NDArray[np.float64] = values[:, label] - others
    return odds


def _marked(cut: Sequence[str], losses: NDArray[np.float64]) -> Excerpt:
    """The tokens, marked by their share of the greatest loss."""
    most = max(float(losses.max(initial=0)), 1e-5)
    parts = []
    for token, loss in zip(cut, [*losses.tolist(), *[0.0] * (len(cut) - len(losses))], strict=True):
        share = round(100 * loss / most)
        parts.append(_MARK.format(share, token) if share >= _LEAST else escape(token))
    return Excerpt(Markup(" ").join(parts))
