"""Sequences to arrays: resampled, without gaps, scaled by the training split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig, SequencePrepareConfig
from convoy.data import manifest, opening, ragged, store
from convoy.data._threads import in_chunks
from convoy.data.modalities.sequence import signals
from convoy.data.modalities.sequence.batching import CONTENT, VALUES
from convoy.data.modalities.sequence.signals import BadSequence, Signal, Transformer
from convoy.data.sources._base import Reader
from convoy.errors import DataError

_FIX = "the data changed since they were ingested: run the pipeline again"
_MISSING = (
    "set prepare.missing to interpolate or zero, or leave them out with validate.checks.missing: quarantine"
)
_USUAL = 0.9  # of the training sequences are not longer than what `length` says
_KEPT = 16  # samples of a class whose content is kept: as many as a bundle has golden samples
_LEAST = 1e-8  # a deviation below which a channel is constant, and is not scaled


def prepare(
    samples: pd.DataFrame,
    classes: list[str],
    data: DataConfig,
    config: SequencePrepareConfig,
    *,
    max_pixels: int,
    out: Path,
    cache: Path | None = None,
    processes: int | None = None,
) -> tuple[dict[str, Any], str]:
    """Write the stores train/, val/ and test/ into `out`: (length, channels) float32 of each sample.

    Returns:
        What preprocessor.json holds: spec, channels and their names, rate, mean and deviation by channel of
        the training split, and `length`, which nine of ten training sequences do not exceed; and a line for
        the log.

    Raises:
        DataError: a sequence changed since it was ingested, has a gap where none may be, other channels than
            the first, or another rate where none is declared.
        OSError: the disk is full.
    """
    spec = config.model_dump()
    read = opening.reader(data)
    paths, ids = samples["path"].tolist(), samples["id"].tolist()
    parts = in_chunks(lambda rows: [_signal(read, paths[row], ids[row], data) for row in rows], len(paths))
    found = [each for part in parts for each in part]
    training = np.flatnonzero((samples["split"] == "train").to_numpy())
    first = found[int(training[0])]
    fitted: dict[str, Any] = {
        "spec": spec,
        "channels": first.values.shape[1],
        "names": None if first.names is None else list(first.names),
        "rate": _rate(found, paths, config, data),
        "mean": [0.0] * first.values.shape[1],
        "deviation": [1.0] * first.values.shape[1],
    }
    if config.scale == "channel":
        shaped = _each(Transformer(fitted).shaped, [found[row] for row in training], paths, training, data)
        mean, deviation = _moments(shaped)
        fitted |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
    transform = Transformer(fitted)
    values = _each(transform, found, paths, np.arange(len(found)), data)
    codes = samples["target"].map({name: number for number, name in enumerate(classes)})
    target = codes.fillna(-1).to_numpy(dtype=np.int64)
    for side in manifest.SPLITS:
        mine = np.flatnonzero((samples["split"] == side).to_numpy())
        fields = {VALUES: _flat([values[row] for row in mine], fitted["channels"])}
        if side == "test":
            fields[CONTENT] = _contents(transform, [found[row] for row in mine], target[mine])
        (out / side).mkdir(parents=True)
        store.finish(
            out / side,
            [],
            None,
            {"target": target[mine], "id": samples["id"].iloc[mine].to_numpy(dtype="S32")},
            fields,
        )
    lengths = [len(values[row]) for row in training]
    fitted["length"] = int(np.quantile(lengths, _USUAL))
    return fitted, _said(values, fitted["channels"], found)


def stand_in(config: SequencePrepareConfig, classes: Sequence[str]) -> dict[str, Any]:
    """A preprocessor as if it had been fitted, for what is tried before there are data."""
    return {
        "modality": "sequence",
        "spec": config.model_dump(),
        "channels": 1,
        "names": None,
        "rate": None,
        "mean": [0.0],
        "deviation": [1.0],
        "length": config.length or 32,
        "classes": list(classes),
    }


def _signal(read: Reader, path: str, sample: str, data: DataConfig) -> Signal:
    content = read(path)
    if manifest.content_id(content) != sample:
        raise DataError(f"{path} is not what it was", where=data.path, fix=_FIX)
    try:
        return signals.decode(content)
    except BadSequence as error:
        raise DataError(f"{path}: {error}", where=data.path, fix=_FIX) from None


def _each(
    change: Any, found: Sequence[Signal], paths: Sequence[str], rows: NDArray[np.int64], data: DataConfig
) -> list[NDArray[Any]]:
    """`change` of every signal; `rows` are those of `paths`."""

    def one(place: int) -> NDArray[Any]:
        try:
            changed: NDArray[Any] = change(found[place])
        except BadSequence as error:
            fix = _MISSING if error.reason == "missing" else "mend or remove it"
            raise DataError(f"{paths[int(rows[place])]}: {error}", where=data.path, fix=fix) from None
        return changed

    parts = in_chunks(lambda places: [one(place) for place in places], len(found))
    return [each for part in parts for each in part]


def _rate(
    found: Sequence[Signal], paths: Sequence[str], config: SequencePrepareConfig, data: DataConfig
) -> float | None:
    """The one rate of the data; None where none is known, or it does not matter.

    Raises:
        DataError: there are several, and the section does not say what becomes of them.
    """
    if config.length is not None:
        return None
    known = {signal.rate: path for signal, path in zip(found, paths, strict=True) if signal.rate is not None}
    if config.rate is not None:
        return config.rate
    if len(known) > 1:
        (one, here), (other, there) = sorted(known.items())[:2]
        raise DataError(
            f"{here} is sampled at {one:,g} Hz and {there} at {other:,g} Hz",
            where=data.path,
            fix="set prepare.rate, to which all are resampled, or prepare.length",
        )
    return next(iter(known), None)


def _moments(values: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation (C,) of all steps; 1 where a channel is constant."""
    steps = np.concatenate(values)
    deviation = steps.std(axis=0)
    return steps.mean(axis=0), np.where(deviation < _LEAST, 1.0, deviation)


def _flat(values: Sequence[NDArray[np.float32]], channels: int) -> tuple[ragged.Values, ragged.Offsets]:
    return ragged.of(values, "<f4") if values else (np.zeros((0, channels), "<f4"), np.zeros(1, np.int64))


def _contents(
    transform: Transformer, found: Sequence[Signal], target: NDArray[np.integer[Any]]
) -> tuple[ragged.Values, ragged.Offsets]:
    """JSON of the first samples of each class; nothing of the others."""
    seen: dict[int, int] = {}
    parts = []
    for signal, label in zip(found, target.tolist(), strict=True):
        seen[label] = seen.get(label, 0) + 1
        kept = seen[label] <= _KEPT
        content = signals.as_json(transform.ordered(signal), signal.rate) if kept else b""
        parts.append(np.frombuffer(content, np.uint8))
    return ragged.of(parts, "|u1")


def _said(values: Sequence[NDArray[np.float32]], channels: int, found: Sequence[Signal]) -> str:
    lengths = [len(each) for each in values]
    gaps = sum(int(np.isnan(signal.values).sum()) for signal in found)
    filled = f"; {gaps:,} missing values filled" if gaps else ""
    steps = f"{min(lengths):,} to {max(lengths):,} steps"
    return f"{len(values):,} sequences of {channels} channel(s), {steps}{filled}"
