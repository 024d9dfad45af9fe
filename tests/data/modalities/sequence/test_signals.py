"""From what somebody sends to what the network takes."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy.data.modalities.sequence import signals
from convoy.data.modalities.sequence.signals import BadSequence, Signal, Transformer


def wav(values: np.ndarray, width: int, rate: int = 8000) -> bytes:
    """(T, C) of whole numbers of `width` bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(values.shape[1])
        sound.setsampwidth(width)
        sound.setframerate(rate)
        wide = values.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
        sound.writeframes(wide.tobytes())
    return buffer.getvalue()


def fitted(**changes: Any) -> dict[str, Any]:
    spec = {"missing": "refuse", "scale": "none", "length": None, "rate": None, "max_length": 100}
    known = {"channels": 1, "names": None, "rate": None, "mean": [0.0], "deviation": [1.0]}
    spec |= {key: value for key, value in changes.items() if key in spec and key != "rate"}
    spec["rate"] = changes.get("to_rate")
    return {"spec": spec, **known, **{key: value for key, value in changes.items() if key in known}}


@pytest.mark.parametrize(
    "content",
    [
        np.array([[1.5, 2], [3, np.nan]]),
        b"1.5,2\n3,\n",
        b"\xef\xbb\xbfx;y\n1.5;2\n3;?\n",
        "a\tb\r\n1.5\t2\r\n\r\n3\tNaN\r\n",
        b"[[1.5, 2], [3, null]]",
        b' {"values": [[1.5, 2], [3, null]], "rate": null}',
    ],
    ids=["array", "csv", "csv with names", "tsv", "json", "json object"],
)
def test_every_form_gives_the_same_sequence(content: Any) -> None:
    found = signals.decode(content)
    np.testing.assert_array_equal(found.values, [[1.5, 2], [3, np.nan]])
    assert found.rate is None


def test_names_and_rates_are_told() -> None:
    assert signals.decode(b"left,right\n1,2\n").names == ("left", "right")
    assert signals.decode(b'{"values": [1, 2], "rate": 50}').rate == 50
    assert signals.decode("1\n2\n3\n").values.shape == (3, 1)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_sound_is_read_in_shares_of_the_full_scale(width: int) -> None:
    most = 2 ** (8 * width - 1)
    found = signals.decode(wav(np.array([[0, -most], [most // 2, most - 1]]), width, 16000))
    np.testing.assert_allclose(found.values, [[0, -1], [0.5, 1]], atol=1e-4)
    assert found.rate == 16000


def test_sound_of_8_bits_is_unsigned() -> None:
    found = signals.decode(wav(np.array([[128], [0], [192]]), 1))
    np.testing.assert_allclose(found.values[:, 0], [0, -1, 0.5])


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (b"1,2\n3\n", "ragged", "line 2 has 1 values, the first 2"),
        (b"[[1, 2], [3]]", "ragged", "step 1 has 1 values, the first 2"),
        (b"x,y\n1,2\n3,4,5\n", "ragged", "line 3 has 3 values"),
        (b"1;2\n3;4,5\n", "undecodable", "line 2: '4,5' is no number"),
        (b"[1, true]", "undecodable", "step 1 holds True, which is no number"),
        (b'[1, "2"]', "undecodable", "step 1 holds '2'"),
        (b'{"values": [1], "rate": -1}', "undecodable", "the rate is -1, no positive number"),
        (b'{"value": [1]}', "undecodable", "an object holds values and rate"),
        (b"[1, 2", "undecodable", "no JSON"),
        (b"\xff\xfe\x00", "undecodable", "byte 0 is not UTF-8"),
        (b"RIFFjunk", "undecodable", "no WAV file of PCM"),
        (wav(np.zeros((50, 1)), 2)[:-20], "truncated", "it says 50 samples and holds 40"),
        (b"", "empty", "holds no number"),
        (b"[]", "empty", "holds no number"),
        (b"x,y\n", "empty", "holds no number"),
        (b"nan\ninf\n", "empty", "holds no number"),
        (np.zeros((2, 2, 2)), "undecodable", "no sequence"),
        (np.array(["a"]), "undecodable", "no sequence"),
    ],
)
def test_what_is_no_sequence_is_refused_with_the_place(content: Any, reason: str, message: str) -> None:
    with pytest.raises(BadSequence, match=message) as refused:
        signals.decode(content)
    assert refused.value.reason == reason


def test_infinite_values_count_as_missing() -> None:
    found = signals.decode(np.array([1, np.inf, -np.inf, 4.0]))
    np.testing.assert_array_equal(found.values[:, 0], [1, np.nan, np.nan, 4])


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("interpolate", [1, 2, 3, 3]), ("zero", [1, 0, 3, 0])],
)
def test_gaps_are_filled_as_declared(missing: str, expected: list[float]) -> None:
    values = np.array([[1, np.nan, 3, np.nan], [np.nan] * 4]).T
    found = signals.filled(values, missing)
    np.testing.assert_array_equal(found, np.stack([expected, [0] * 4], axis=1))
    with pytest.raises(BadSequence, match="6 values are missing, the first at step 0, channel 1"):
        signals.filled(values, "refuse")


def test_resampling_keeps_the_ends_and_what_is_slow() -> None:
    slow = np.sin(np.linspace(0, 6, 400))[:, None]
    for length in (100, 800):
        found = signals.resampled(slow, length)
        np.testing.assert_allclose(found[:, 0], np.sin(np.linspace(0, 6, length)), atol=0.03)
    np.testing.assert_array_equal(signals.resampled(np.array([[1.0], [3.0]]), 3)[:, 0], [1, 2, 3])
    assert signals.resampled(np.array([[7.0]]), 4).tolist() == [[7.0]] * 4


def test_resampling_smooths_away_what_is_too_fast() -> None:
    fast = np.where(np.arange(400) % 2, 1.0, -1.0)[:, None]
    assert np.abs(signals.resampled(fast, 100)[5:-5]).max() < 0.05


def test_the_transformer_scales_by_what_was_fitted_or_by_each_sample() -> None:
    signal = Signal(np.array([[1.0], [3.0]]))
    by_channel = Transformer(fitted(scale="channel", mean=[2.0], deviation=[0.5]))
    np.testing.assert_array_equal(by_channel(signal)[:, 0], [-2, 2])
    np.testing.assert_array_equal(Transformer(fitted(scale="sample"))(signal)[:, 0], [-1, 1])
    constant = Transformer(fitted(scale="sample"))(Signal(np.array([[4.0], [4.0]])))
    np.testing.assert_array_equal(constant[:, 0], [0, 0])


def test_channels_are_found_by_their_names() -> None:
    change = Transformer(fitted(channels=2, names=["x", "y"], mean=[0, 0], deviation=[1, 1]))
    found = change(Signal(np.array([[2.0, 1.0]]), names=("y", "x")))
    assert found.tolist() == [[1.0, 2.0]]
    assert change(Signal(np.array([[1.0, 2.0]]))).tolist() == [[1.0, 2.0]]
    with pytest.raises(BadSequence, match="no channel 'y', but x, z"):
        change(Signal(np.array([[1.0, 2.0]]), names=("x", "z")))
    with pytest.raises(BadSequence, match=r"it has 1 channel\(s\), the model learned from 2"):
        change(Signal(np.array([[1.0]])))


def test_another_rate_is_refused_or_resampled() -> None:
    signal = Signal(np.arange(16.0)[:, None], rate=8000.0)
    with pytest.raises(BadSequence, match="sampled at 8000 Hz, the model learned from 4000 Hz"):
        Transformer(fitted(rate=4000.0))(signal)
    assert len(Transformer(fitted(to_rate=4000.0))(signal)) == 8
    assert len(Transformer(fitted(length=5))(signal)) == 5
    assert len(Transformer(fitted(max_length=3))(signal)) == 3
    with pytest.raises(BadSequence, match="does not tell its rate"):
        Transformer(fitted(to_rate=4000.0))(Signal(signal.values))


def test_what_is_sent_as_json_comes_back_as_it_is() -> None:
    values = np.array([[0.1, np.nan], [1e-9, 2 / 3]])
    found = signals.decode(signals.as_json(values, 12.5))
    np.testing.assert_array_equal(found.values, values)
    assert found.rate == 12.5
    assert json.loads(signals.as_json(values, None))["rate"] is None


def test_the_module_needs_numpy_and_the_standard_library_alone() -> None:
    source = Path(signals.__file__).read_text(encoding="utf-8")
    assert "convoy" not in source
    assert "scipy" not in source
