"""Augmentation of texts: tokens that are left out, change places or are cut out in one piece.

word_dropout  rate: share of the tokens that are left out
swap          rate: share of the tokens that change places with the next one
span_cut      share: length of the piece that is left out, of the text's, at a random place
unknown       rate: share of the tokens that become unknown

Each has `p`, the share of the texts that it changes. A text keeps one token at least. All work on whole
batches of token ids, and are drawn by the batch's key.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.config.augment import AugmentConfig
from convoy.config.data import TextPrepareConfig
from convoy.data import ragged, store
from convoy.data.loader import Batch, batch_key
from convoy.data.mixing import Mixing
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.batching import TEXT, TOKENS
from convoy.data.ragged import Offsets, Values
from convoy.data.store import Store
from convoy.errors import ConfigError

PREVIEW = "preview.txt"
_ROWS, _VARIANTS = 12, 4
_CHUNK = 1024
_WHERE = "params.yaml: augment.transforms"
_UNKNOWN = tokens.SPECIAL.index(tokens.UNKNOWN)
_AMOUNT = 0.1  # where rate or share is left out
Chosen = NDArray[np.bool_]
Form = Callable[[Values, Offsets, Chosen, float, np.random.Generator], tuple[Values, Offsets]]


class Policy:
    """A sequence of transforms of texts.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is no share.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        self._steps = [_step(number, spec) for number, spec in enumerate(transforms)]

    def __call__(self, batch: Batch, seed: int) -> Batch:
        """The batch with other tokens; all else as it was."""
        name = ragged.offsets_of(TOKENS)
        values, bounds = batch[TOKENS], batch[name]
        for number, (form, p, amount) in enumerate(self._steps):
            random = np.random.Generator(np.random.Philox(key=(seed, number)))
            chosen = random.random(len(bounds) - 1) < p
            values, bounds = form(values, bounds, chosen, amount, random)
        return {**batch, TOKENS: values, name: bounds}


policy = Policy


def transforms(config: AugmentConfig) -> list[dict[str, Any]]:
    return [{"name": step.name, **step.arguments()} for step in config.transforms]


def trial(config: AugmentConfig, prepared: TextPrepareConfig) -> None:  # noqa: ARG001  # the contract of all
    """Raises:
    ConfigError: the policy is refused.
    """
    Policy(transforms(config))


def preview(
    training: Store,
    policy: Policy,
    mixing: Mixing | None,  # noqa: ARG001  # the contract of all modalities
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


def copies(training: Store, policy: Policy, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    parts = [
        policy(training[np.arange(at, min(at + _CHUNK, len(training)))], batch_key(config.seed, copy + 1, at))
        for copy in range(config.offline_copies)
        for at in range(0, len(training), _CHUNK)
    ]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    def bounds(name: str) -> Offsets:
        return ragged.offsets(np.concatenate([np.diff(part[ragged.offsets_of(name)]) for part in parts]))

    folder.mkdir()
    fixed = {name: joined(name) for name in ("target", "id")}
    store.finish(folder, [], None, fixed, {name: (joined(name), bounds(name)) for name in (TOKENS, TEXT)})


def texts_of(stored: Store, rows: NDArray[np.int64]) -> list[str]:
    """The samples' texts."""
    values, bounds = ragged.take(*stored.field(TEXT), rows)
    content, ends = values.tobytes(), bounds.tolist()
    return [content[start:end].decode("utf-8") for start, end in pairwise(ends)]


def _word_dropout(
    values: Values, bounds: Offsets, chosen: Chosen, rate: float, random: np.random.Generator
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    kept = (random.random(len(values)) >= rate) | ~np.repeat(chosen, lengths)
    saved = (random.random(len(lengths)) * lengths).astype(np.int64)  # one token of each text stays
    kept[(bounds[:-1] + saved)[lengths > 0]] = True
    return ragged.keep(values, bounds, kept)


def _swap(
    values: Values, bounds: Offsets, chosen: Chosen, rate: float, random: np.random.Generator
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    last = np.zeros(len(values), bool)
    last[bounds[1:][lengths > 0] - 1] = True
    first = (random.random(len(values)) < rate) & ~last & np.repeat(chosen, lengths)
    first[1:] &= ~first[:-1]  # no token moves twice
    at = np.flatnonzero(first)
    changed = values.copy()
    changed[at], changed[at + 1] = values[at + 1], values[at]
    return changed, bounds


def _span_cut(
    values: Values, bounds: Offsets, chosen: Chosen, share: float, random: np.random.Generator
) -> tuple[Values, Offsets]:
    lengths = np.diff(bounds)
    wanted = np.minimum((lengths * share).round().astype(np.int64), lengths - 1)
    cut = np.where(chosen, wanted, 0).clip(min=0)
    start = (random.random(len(lengths)) * (lengths - cut + 1)).astype(np.int64)
    place = np.arange(len(values)) - np.repeat(bounds[:-1], lengths)
    inside = (place >= np.repeat(start, lengths)) & (place < np.repeat(start + cut, lengths))
    return ragged.keep(values, bounds, ~inside)


def _unknown(
    values: Values, bounds: Offsets, chosen: Chosen, rate: float, random: np.random.Generator
) -> tuple[Values, Offsets]:
    hidden = (random.random(len(values)) < rate) & np.repeat(chosen, np.diff(bounds))
    return np.where(hidden, np.array(_UNKNOWN, values.dtype), values), bounds


_FORMS: dict[str, tuple[Form, str]] = {
    "word_dropout": (_word_dropout, "rate"),
    "swap": (_swap, "rate"),
    "span_cut": (_span_cut, "share"),
    "unknown": (_unknown, "rate"),
}


def _step(number: int, spec: Mapping[str, Any]) -> tuple[Form, float, float]:
    name = spec["name"]
    where = f"{_WHERE}[{number}] ({name})"
    if name not in _FORMS:
        near = difflib.get_close_matches(name, _FORMS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        choices = ", ".join(_FORMS)
        raise ConfigError(f"texts have no transform {name!r}{hint}", where=where, fix=f"choose: {choices}")
    form, key = _FORMS[name]
    for argument, value in spec.items():
        if argument == "name":
            continue
        if argument not in (key, "p"):
            raise ConfigError(f"{name} has no argument {argument!r}", where=where, fix=f"it takes {key}, p")
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise ConfigError(f"{argument} is {value!r}, no share from 0 to 1", where=where, fix="mend it")
    return form, float(spec.get("p", 1.0)), float(spec.get(key, _AMOUNT))
