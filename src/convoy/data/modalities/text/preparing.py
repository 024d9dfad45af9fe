"""Texts to token ids, with the vocabulary of the training split."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig, TextPrepareConfig
from convoy.data import manifest, opening, ragged, store
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.batching import TEXT, TOKENS
from convoy.data.sources._base import Reader
from convoy.errors import DataError, ResourceError

_FIX = "the data changed since they were ingested: run the pipeline again"
_USUAL = 0.9  # of the training texts are not longer than what `length` says


def prepare(
    samples: pd.DataFrame,
    classes: list[str],
    data: DataConfig,
    config: TextPrepareConfig,
    *,
    max_pixels: int,
    out: Path,
    cache: Path | None = None,
    processes: int | None = None,
) -> tuple[dict[str, Any], str]:
    """Write the stores train/, val/ and test/ into `out`: token ids, and the texts themselves for reports.

    Returns:
        What preprocessor.json holds: spec, vocabulary, and `length`, which nine of ten training texts do not
        exceed; and a line for the log.

    Raises:
        DataError: a text changed since it was ingested; or no token is frequent enough.
        ResourceError: tokens: chinese without rjieba.
        OSError: the disk is full.
    """
    spec = config.model_dump()
    read, cut = opening.reader(data), _encoder(spec, [])
    rows = zip(samples["path"], samples["id"], strict=True)
    texts = [_text(read, path, sample, data) for path, sample in rows]
    found = [cut.tokens(text) for text in texts]
    training = (samples["split"] == "train").to_numpy()
    known = vocabulary((found[row] for row in np.flatnonzero(training)), config)
    encoder = _encoder(spec, known)
    codes = samples["target"].map({name: number for number, name in enumerate(classes)})
    target = codes.fillna(-1).to_numpy(dtype="<i8")
    for side in manifest.SPLITS:
        mine = np.flatnonzero((samples["split"] == side).to_numpy())
        (out / side).mkdir(parents=True)
        store.finish(
            out / side,
            [],
            None,
            {"target": target[mine], "id": samples["id"].iloc[mine].to_numpy(dtype="S32")},
            {
                TOKENS: ragged.of([encoder.ids(found[row]) for row in mine], "<i4"),
                TEXT: ragged.of([np.frombuffer(texts[row].encode(), np.uint8) for row in mine], "|u1"),
            },
        )
    lengths = [len(found[row]) for row in np.flatnonzero(training)]
    fitted = {"spec": spec, "vocabulary": known, "length": int(np.quantile(lengths, _USUAL))}
    return fitted, _said(found, training, known)


def vocabulary(texts: Iterable[Sequence[str]], config: TextPrepareConfig) -> list[str]:
    """The special tokens, then the most frequent first, those of one frequency in the order of their names.

    Raises:
        DataError: no token is frequent enough.
    """
    counts = Counter(token for text in texts for token in text)
    often = sorted((-count, token) for token, count in counts.items() if count >= config.min_count)
    if not often:
        raise DataError(
            f"no token of the training split occurs {config.min_count} times",
            where="params.yaml: prepare.min_count",
            fix="lower it",
        )
    return [*tokens.SPECIAL, *(token for _, token in often[: config.max_size])]


def stand_in(config: TextPrepareConfig, classes: Sequence[str]) -> dict[str, Any]:
    """A preprocessor as if it had been fitted, for what is tried before there are data.

    Raises:
        ResourceError: tokens: chinese without rjieba.
    """
    _encoder(config.model_dump(), [])
    return {
        "modality": "text",
        "spec": config.model_dump(),
        "vocabulary": [*tokens.SPECIAL, *map(str, range(14))],
        "length": min(config.max_length, 16),
        "classes": list(classes),
    }


def _said(found: Sequence[Sequence[str]], training: NDArray[np.bool_], known: Sequence[str]) -> str:
    others = Counter(token for row in np.flatnonzero(~training).tolist() for token in found[row])
    inside = set(known)
    unknown = sum(count for token, count in others.items() if token not in inside)
    return (
        f"{len(found):,} texts, {len(known) - len(tokens.SPECIAL):,} tokens in the vocabulary; of those of "
        f"val and test {unknown / max(1, others.total()):.1%} are unknown"
    )


def _encoder(spec: dict[str, Any], known: Sequence[str]) -> tokens.Encoder:
    try:
        return tokens.Encoder(spec, known)
    except tokens.NoSegmenter as error:
        raise ResourceError(
            str(error),
            where="params.yaml: prepare.tokens",
            fix='pip install "convoy[text]", or set prepare.tokens: characters',
        ) from None


def _text(read: Reader, path: str, sample: str, data: DataConfig) -> str:
    content = read(path)
    if manifest.content_id(content) != sample:
        raise DataError(f"{path} is not what it was", where=data.path, fix=_FIX)
    assert isinstance(content, bytes)
    return content.decode("utf-8")
