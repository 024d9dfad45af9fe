"""The gate's parameters: each said, none guessed."""

from pathlib import Path

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError


@pytest.fixture
def params(repository: Path, tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text((repository / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "key",
    [
        "first", "minimum", "margin", "non_inferiority", "beat_baseline", "max_ece", "slice_margin",
        "slice_samples", "max_latency_ms", "max_latency_ratio", "max_size_mb",
    ],
)  # fmt: skip
def test_no_rule_of_the_gate_has_a_hidden_default(params: Path, key: str) -> None:
    lines = params.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.strip() == "gate:")
    gone = next(n for n in range(start, len(lines)) if lines[n].strip().startswith(f"{key}:"))
    params.write_text("".join(lines[:gone] + lines[gone + 1 :]), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"missing key 'register.gate.{key}'"):
        load(params)


@pytest.mark.parametrize(
    "key", ["max_ece", "slice_margin", "max_latency_ms", "max_latency_ratio", "max_size_mb"]
)
def test_a_bound_can_be_switched_off(params: Path, key: str) -> None:
    value = next(
        line for line in params.read_text(encoding="utf-8").splitlines() if line.strip().startswith(f"{key}:")
    )
    _change(params, value, f"    {key}: null")
    assert getattr(load(params).registration.gate, key) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_ece: 0.1", "max_ece: 1.5", "less than or equal to 1"),
        ("max_size_mb: 100 ", "max_size_mb: 0 ", "greater than 0"),
        ("first: promote", "first: maybe", "none of"),
        ("minimum: 0.95", "minimum: null", "register.gate.minimum"),
        ("slice_samples: 20", "slice_samples: 1", "greater than or equal to 2"),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused(params: Path, old: str, new: str, said: str) -> None:
    _change(params, old, new)
    with pytest.raises(ConfigError, match=said):
        load(params)


def test_a_baseline_that_is_not_measured_cannot_be_beaten(params: Path) -> None:
    _change(params, "baseline: hog_linear", "baseline: none")
    with pytest.raises(ConfigError) as caught:
        load(params)
    assert "gate.beat_baseline: true needs evaluate.baseline: hog_linear" in str(caught.value)
    _change(params, "beat_baseline: true", "beat_baseline: false")
    assert load(params).evaluate.baseline == "none"


def test_a_models_name_is_no_path(params: Path) -> None:
    _change(params, "model: digits", "model: ../digits")
    with pytest.raises(ConfigError, match=r"register\.model"):
        load(params)
