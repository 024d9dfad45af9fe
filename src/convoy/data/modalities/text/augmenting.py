"""Augmentation of texts: tokens that are left out, change places or are cut out in one piece.

word_dropout  rate: share of the tokens that are left out
swap          rate: share of the tokens that change places with the next one
span_cut      share: length of the piece that is left out, of the text's, at a random place
unknown       rate: share of the tokens that become unknown

Each has `p`, the share of the texts that it changes. A text keeps one token at least. All work on whole
batches of token ids, and are drawn by the batch's key.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.config.augment import AugmentConfig
from convoy.config.data import TextPrepareConfig
from convoy.data import ragged
from convoy.data.loader import Batch, batch_key
from convoy.data.mixing import Mixing
from convoy.data.modalities import _augmenting
from convoy.data.modalities._augmenting import Bound, Chosen, Given, Random
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.batching import TEXT, TOKENS
from convoy.data.ragged import Offsets, Values
from convoy.data.store import Store

PREVIEW = "preview.txt"
_ROWS, _VARIANTS = 12, 4
_UNKNOWN = tokens.SPECIAL.index(tokens.UNKNOWN)
Form = Callable[[Values, Offsets, Chosen, Given, Random], tuple[Values, Offsets]]


class Policy:
    """A sequence of transforms of texts.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is out of its bounds.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        self._steps = _augmenting.steps("texts", _FORMS, transforms)

    def __call__(self, batch: Batch, seed: int) -> Batch:
        """The batch with other tokens; all else as it was."""
        name = ragged.offsets_of(TOKENS)
        values, bounds = batch[TOKENS], batch[name]
        for step, chosen, random in _augmenting.drawn(self._steps, len(bounds) - 1, seed):
            values, bounds = step.form(values, bounds, chosen, step.given, random)
        return {**batch, TOKENS: values, name: bounds}


policy = Policy
transforms = _augmenting.transforms
copies = _augmenting.copies


def trial(config: AugmentConfig, prepared: TextPrepareConfig) -> None:
    """Raises:
    ConfigError: the policy is refused.
    """
    Policy(transforms(config))


def preview(
    training: Store,
    policy: Policy,
    mixing: Mixing | None,
    seed: int,
    out: Path,
) -> None:
    """Write preview.txt: texts, below each its tokens' ids and variants of them; `_` is an unknown one."""
    rows = np.linspace(0, len(training) - 1, min(_ROWS, len(training))).astype(np.int64)
    originals = training[rows]
    shown = [originals, *(policy(originals, batch_key(seed, 0, n)) for n in range(_VARIANTS))]
    texts = texts_of(training, rows)
    lines = []
    for row, text in enumerate(texts):
        lines.append(text)
        for batch in shown:
            bounds = batch[ragged.offsets_of(TOKENS)]
            ids = batch[TOKENS][bounds[row] : bounds[row + 1]].tolist()
            lines.append("    " + " ".join("_" if each == _UNKNOWN else str(each) for each in ids))
    io.write_text(out / PREVIEW, "\n".join(lines) + "\n")


def texts_of(stored: Store, rows: NDArray[np.int64]) -> list[str]:
    """The samples' texts."""
    values, bounds = ragged.take(*stored.field(TEXT), rows)
    content, ends = values.tobytes(), bounds.tolist()
    return [content[start:end].decode("utf-8") for start, end in pairwise(ends)]


def _word_dropout(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    kept = (random.random(len(values)) >= given["rate"]) | ~np.repeat(chosen, lengths)
    saved = (random.random(len(lengths)) * lengths).astype(np.int64)  # one token of each text stays
    kept[(bounds[:-1] + saved)[lengths > 0]] = True
    return ragged.keep(values, bounds, kept)


def _swap(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    last = np.zeros(len(values), bool)
    last[bounds[1:][lengths > 0] - 1] = True
    first = (random.random(len(values)) < given["rate"]) & ~last & np.repeat(chosen, lengths)
    first[1:] &= ~first[:-1]  # no token moves twice
    at = np.flatnonzero(first)
    changed = values.copy()
    changed[at], changed[at + 1] = values[at + 1], values[at]
    return changed, bounds


def _span_cut(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    wanted = np.minimum((lengths * given["share"]).round().astype(np.int64), lengths - 1)
    cut = np.where(chosen, wanted, 0).clip(min=0)
    start = (random.random(len(lengths)) * (lengths - cut + 1)).astype(np.int64)
    place = np.arange(len(values)) - np.repeat(bounds[:-1], lengths)
    inside = (place >= np.repeat(start, lengths)) & (place < np.repeat(start + cut, lengths))
    return ragged.keep(values, bounds, ~inside)


def _unknown(
    values: Values, bounds: Offsets, chosen: Chosen, given: Given, random: Random
) -> tuple[Values, Offsets]:
    hidden = (random.random(len(values)) < given["rate"]) & np.repeat(chosen, np.diff(bounds))
    return np.where(hidden, np.array(_UNKNOWN, values.dtype), values), bounds


_FORMS: dict[str, tuple[Form, dict[str, Bound]]] = {
    "word_dropout": (_word_dropout, {"rate": Bound(0, 1, 0.1)}),
    "swap": (_swap, {"rate": Bound(0, 1, 0.1)}),
    "span_cut": (_span_cut, {"share": Bound(0, 1, 0.1)}),
    "unknown": (_unknown, {"rate": Bound(0, 1, 0.1)}),
}
