"""From what somebody sends to a sequence. Travels with the bundle: standard library and numpy.

array      (T,) or (T, C)
WAV        PCM of 8, 16, 24 or 32 bits, in shares of the full scale; it tells its rate
JSON       a list of numbers (one channel) or of lists (a list a time step, a number a channel), or an object
           {"values": such a list, "rate": samples a second}; null is a missing value
CSV        a line a time step, a column a channel, with or without a line of names; separated by comma,
           semicolon or tab. A cell that is empty, ?, NA or NaN is a missing value
"""

import csv
import io
import json
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_MISSING = frozenset({"", "?", "na", "nan", "null", "none"})
_SEPARATORS = ",;\t"
_LEAST = 1e-8  # a deviation below which a channel is constant


class BadSequence(ValueError):
    """The content is no sequence. `reason` is empty, ragged, truncated, undecodable, missing or unfit."""

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Signal:
    """A sequence as it came.

    Attributes:
        values: (T, C); NaN where one is missing.
        rate: samples a second; None: unknown.
        names: of the channels; None: it has none.
    """

    values: Values
    rate: float | None = None
    names: tuple[str, ...] | None = None


def decode(content: Any) -> Signal:
    """The sequence in bytes, a text or an array.

    Raises:
        BadSequence: there is none.
    """
    if isinstance(content, np.ndarray):
        return _checked(_of_array(content))
    if isinstance(content, str):
        content = content.encode("utf-8")
    if content[:4] == b"RIFF":
        return _checked(_of_wav(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSequence(f"byte {error.start} is not UTF-8, and it is no WAV file", "undecodable") from None
    return _checked(_of_json(text) if text.lstrip()[:1] in ("[", "{") else _of_csv(text))


def _checked(signal: Signal) -> Signal:
    values = np.where(np.isfinite(signal.values), signal.values, np.nan)
    if not values.size or np.isnan(values).all():
        raise BadSequence("it holds no number", "empty")
    return Signal(values, signal.rate, signal.names)


def _of_array(array: NDArray[Any]) -> Signal:
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
        said = f"an array of {array.dtype} {array.shape} is no sequence (T,) or (T, C)"
        raise BadSequence(said, "undecodable")
    return Signal((array if array.ndim == 2 else array[:, None]).astype(np.float64))


def _of_wav(content: bytes) -> Signal:
    try:
        with wave.open(io.BytesIO(content)) as sound:
            width, channels, frames = sound.getsampwidth(), sound.getnchannels(), sound.getnframes()
            rate, raw = sound.getframerate(), sound.readframes(frames)
    except (wave.Error, EOFError) as error:
        raise BadSequence(f"no WAV file of PCM: {error or 'it ends too early'}", "undecodable") from None
    if len(raw) < frames * width * channels:
        raise BadSequence(f"it says {frames} samples and holds {len(raw) // (width * channels)}", "truncated")
    if width == 1:
        flat = (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    else:
        parts = np.frombuffer(raw, np.uint8).reshape(-1, width)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 4 - width :] = parts  # the highest bytes of a number of 32 bits
        flat = wide.reshape(-1).view("<i4").astype(np.float64) / 2**31
    return Signal(flat.reshape(-1, channels), float(rate))


def _of_json(text: str) -> Signal:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSequence(f"no JSON: {error}", "undecodable") from None
    rate = None
    if isinstance(document, dict):
        if document.keys() - {"values", "rate"} or "values" not in document:
            raise BadSequence(f"an object holds values and rate, not {sorted(document)}", "undecodable")
        rate, document = document.get("rate"), document["values"]
        if rate is not None and (not _is_number(rate) or not 0 < rate < float("inf")):
            raise BadSequence(f"the rate is {rate!r}, no positive number", "undecodable")
    if not isinstance(document, list):
        raise BadSequence("it is no list of numbers or of lists of numbers", "undecodable")
    rows = [each if isinstance(each, list) else [each] for each in document]
    for step, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise BadSequence(f"step {step} has {len(row)} values, the first {len(rows[0])}", "ragged")
        for value in row:
            if value is not None and not _is_number(value):
                raise BadSequence(f"step {step} holds {value!r}, which is no number", "undecodable")
    values = [[np.nan if value is None else value for value in row] for row in rows]
    return Signal(_table(values), None if rate is None else float(rate))


def _of_csv(text: str) -> Signal:
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names: tuple[str, ...] | None = None
    width, found = 0, []
    try:
        for row in rows:
            if not row:
                continue
            if not width:
                width = len(row)
                if any(_number(cell) is None for cell in row):
                    names = tuple(cell.strip() for cell in row)
                    continue
            if len(row) != width:
                said = f"line {rows.line_num} has {len(row)} values, the first {width}"
                raise BadSequence(said, "ragged")
            numbers = [_number(cell) for cell in row]
            if None in numbers:
                wrong = row[numbers.index(None)]
                raise BadSequence(f"line {rows.line_num}: {wrong!r} is no number", "undecodable")
            found.append(numbers)
    except csv.Error as error:
        raise BadSequence(f"line {rows.line_num}: {error}", "undecodable") from None
    return Signal(_table(found), None, names)


def _table(rows: Sequence[Sequence[float | None]]) -> Values:
    return np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0)


def _number(cell: str) -> float | None:
    """NaN of a missing value; None of what is no number."""
    bare = cell.strip()
    if bare.casefold() in _MISSING:
        return float("nan")
    try:
        return float(bare)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_json(values: Values, rate: float | None) -> bytes:
    """(T, C) as somebody would send it; the numbers come back as they are."""
    steps = [[None if value != value else value for value in step] for step in values.tolist()]
    return json.dumps({"rate": rate, "values": steps}).encode("utf-8")


class Transformer:
    """A sequence as the network takes it: resampled, without gaps, scaled.

    Args:
        fitted: what preprocessor.json holds: spec, channels, names, rate, and mean and deviation by channel.
    """

    def __init__(self, fitted: Mapping[str, Any]) -> None:
        self._spec: Mapping[str, Any] = fitted["spec"]
        self._channels: int = fitted["channels"]
        self._names: Sequence[str] | None = fitted["names"]
        self._rate: float | None = fitted["rate"]
        self._mean = np.array(fitted["mean"], np.float64)
        self._deviation = np.array(fitted["deviation"], np.float64)

    def __call__(self, signal: Signal) -> NDArray[np.float32]:
        """(T, C).

        Raises:
            BadSequence: other channels or another rate than the model learned from, or a value is missing
                where none may be.
        """
        values = self.shaped(signal)
        if self._spec["scale"] == "channel":
            values = (values - self._mean) / self._deviation
        elif self._spec["scale"] == "sample":
            deviation = values.std(axis=0)
            values = (values - values.mean(axis=0)) / np.where(deviation < _LEAST, 1.0, deviation)
        return values.astype(np.float32)

    def shaped(self, signal: Signal) -> Values:
        """All but the scaling."""
        values = filled(self.ordered(signal), self._spec["missing"])
        if self._spec["length"] is not None:
            values = resampled(values, self._spec["length"])
        else:
            values = self._at_rate(values, signal.rate)
        return values[: self._spec["max_length"]]

    def ordered(self, signal: Signal) -> Values:
        """The channels in the order that was learned, by their names where there are names."""
        found = signal.values.shape[1]
        if found != self._channels:
            raise BadSequence(f"it has {found} channel(s), the model learned from {self._channels}", "unfit")
        if self._names is None or signal.names is None or tuple(self._names) == signal.names:
            return signal.values
        places = {name: place for place, name in enumerate(signal.names)}
        lacking = [name for name in self._names if name not in places]
        if lacking:
            raise BadSequence(f"it has no channel {lacking[0]!r}, but {', '.join(signal.names)}", "unfit")
        return signal.values[:, [places[name] for name in self._names]]

    def _at_rate(self, values: Values, rate: float | None) -> Values:
        wanted = self._spec["rate"] or self._rate
        if wanted is None or rate == wanted:
            return values
        if self._spec["rate"] is None:
            if rate is None:  # of sequences that do not tell it, that of the others is taken
                return values
            raise BadSequence(f"it is sampled at {rate:g} Hz, the model learned from {wanted:g} Hz", "unfit")
        if rate is None:
            raise BadSequence("it does not tell its rate, and sequences are resampled to one", "unfit")
        return resampled(values, max(2, round(len(values) * wanted / rate)))


def filled(values: Values, missing: str) -> Values:
    """(T, C) without gaps; a channel of gaps alone becomes 0.

    Raises:
        BadSequence: there is a gap, and missing is refuse.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if missing == "refuse":
        step, channel = np.argwhere(gaps)[0].tolist()
        said = f"{int(gaps.sum())} values are missing, the first at step {step}, channel {channel}"
        raise BadSequence(said, "missing")
    if missing == "zero":
        return np.where(gaps, 0.0, values)
    result = values.copy()
    steps = np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(axis=0)).tolist():
        gap = gaps[:, channel]
        known = values[~gap, channel]
        result[gap, channel] = np.interp(steps[gap], steps[~gap], known) if len(known) else 0.0
    return result


def resampled(values: Values, length: int) -> Values:
    """(T, C) -> (length, C), the first and the last value kept: linear between values.

    Where it gets shorter, what is too fast for the new rate is smoothed away before (a windowed sinc).
    """
    before = len(values)
    if before == length:
        return values
    if before > length:
        values = _smoothed(values, before / length)
    places = np.linspace(0, before - 1, length)
    left = np.minimum(places.astype(np.int64), max(0, before - 2))
    right = np.minimum(left + 1, before - 1)
    share = (places - left)[:, None]
    result: Values = values[left] * (1 - share) + values[right] * share
    return result


def _smoothed(values: Values, factor: float) -> Values:
    half = int(np.ceil(4 * factor))
    steps = np.arange(-half, half + 1)
    weights = np.sinc(steps / factor) * np.hanning(2 * half + 3)[1:-1]
    weights /= weights.sum()
    wide = np.pad(values, ((half, half), (0, 0)), mode="edge")
    columns = [np.convolve(wide[:, channel], weights, mode="valid") for channel in range(values.shape[1])]
    return np.stack(columns, axis=1)


def batch(samples: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, longest, C), NaN behind the shorter ones."""
    longest = max(map(len, samples), default=1)
    channels = samples[0].shape[1] if samples else 1
    result = np.full((len(samples), longest, channels), np.nan, np.float32)
    for row, sample in enumerate(samples):
        result[row, : len(sample)] = sample
    return result
