"""Bad sequences, found by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convoy.config.data import DataConfig, ValidateConfig
from convoy.data.modalities.sequence.checks import rate
from convoy.errors import DataError
from convoy.stages.ingest import ingest
from convoy.stages.validate import validate
from tests.data.modalities.sequence import toys

CONFIG = ValidateConfig(max_bad_fraction=0.5, max_pixels=1000, min_per_class=3)
FIRST = toys.lines(1)[0]
LONG = ":".join([",".join(["1", "2", "4"] * 200)] * 2)


def checked(root: Path, extra: list[str], data: DataConfig = toys.DATA) -> pd.DataFrame:
    """What the gate finds in the toy data and some lines more: check, reason, path, detail."""
    toys.write(root, 60, tuple(extra))
    ingest(data, out=root / "ingest", corrections=root / "none.csv")
    validate(root / "ingest", data, CONFIG, out=root / "validate", base=root)
    assert (root / "validate" / "report.html").read_text(encoding="utf-8").count("<svg") > 10
    return pd.read_parquet(root / "validate" / "findings.parquet").set_index("path")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "check", "reason", "policy", "detail"),
    [
        ("1,2,3:1,2:slow", "channels", "ragged", "quarantine", "Waves.ts:64: line 64: channel 2 has 2 val"),
        ("1,2,3:slow", "channels", "other channels", "quarantine", "it has 1 channel; the others have 2"),
        ("1,x,3:1,2,3:slow", "unreadable", "missing", "quarantine", "line 64: 'x' is no number"),
        ("?,?:NaN,?:slow", "unreadable", "empty", "quarantine", "it holds no number"),
        ("1,?,inf,5:1,2,5,9:fast", "missing", "missing values", "warn", "2 of its 8 values are missing"),
        ("1,1,1:5,6,9:fast", "constant", "constant", "warn", "1 of its 2 channels never changes"),
        (f"{LONG}:slow", "length", "long", "warn", "600 steps; the others have about"),
        ("1,2,3:1,2,3:medium", "labels", "label", "quarantine", "'medium' is none of the header's"),
        (FIRST, "duplicates", "duplicate", "quarantine", ""),
        (FIRST.replace("slow", "fast"), "conflicts", "conflict", "quarantine", ""),
    ],
)  # fmt: skip
def test_a_bad_sequence_is_found(
    tmp_path: Path, line: str, check: str, reason: str, policy: str, detail: str
) -> None:
    found = checked(tmp_path, [line]).loc[["Waves.ts#64"]]
    [row] = [row for row in found.to_dict("records") if row["check"] == check]
    assert (row["reason"], row["policy"]) == (reason, policy)
    assert detail in row["detail"]


def test_a_copy_at_another_scale_is_a_near_duplicate(tmp_path: Path) -> None:
    values = np.array([[float(v) for v in part.split(",")] for part in FIRST.split(":")[:2]]).T
    found = checked(tmp_path, [toys.line(values * 2 + 7, "slow")])
    assert "near_duplicates" in set(found.loc[["Waves.ts#64"]]["check"])


def test_classes_that_length_tells_apart_are_told(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    long = [toys.line(random.normal(size=(90, 2)), "fast") for _ in range(150)]
    assert "length tells" in set(checked(tmp_path, long)["reason"])


def test_two_given_splits_with_one_sequence_stop_the_run(tmp_path: Path) -> None:
    header = "@classLabel true slow fast\n@data\n"
    (tmp_path / "raw").mkdir()
    training = toys.lines(20)
    (tmp_path / "raw" / "W_TRAIN.ts").write_text(header + "\n".join(training), encoding="utf-8")
    tests = [*toys.lines(10, seed=1), training[3]]
    (tmp_path / "raw" / "W_TEST.ts").write_text(header + "\n".join(tests), encoding="utf-8")
    ingest(toys.DATA, out=tmp_path / "ingest", corrections=tmp_path / "none.csv")
    with pytest.raises(DataError, match="leakage: 1 sample"):
        validate(tmp_path / "ingest", toys.DATA, CONFIG, out=tmp_path / "validate", base=tmp_path)


def test_another_sampling_rate_is_told() -> None:
    table = pd.DataFrame({"rate": [8000.0, 8000.0, 44100.0, float("nan")]})
    [found] = rate.run(table, None)  # type: ignore[arg-type]
    assert found.row == 2
    assert found.detail == "it is sampled at 44,100 Hz, most others at 8,000 Hz"
