"""Sequences through all stages, as pictures and texts go: the same functions, other parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy import io
from convoy.bundle import golden
from convoy.config.augment import AugmentConfig
from convoy.config.data import SequencePrepareConfig
from convoy.data.store import Store
from convoy.errors import DataError
from convoy.serving import sequences
from convoy.serving.predictor import Predictor
from convoy.stages.augment import augment
from convoy.stages.prepare import prepare
from tests.data.modalities.sequence import toys
from tests.models.sections import SEQUENCES
from tests.stages import through

TRAIN = through.training(epochs=8, batch_size=16, lr=0.02)
EVALUATE = through.evaluating("nearest_euclidean", robustness_samples=10)
STEPS: list[Any] = [{"name": "jitter", "sigma": 0.1}, {"name": "window_slice", "share": 0.8}]
GAP = "?,5,6,7,8,9,5,4,3,2:-40,-41,-42,-43,-44,-45,-46,-47,-48,-49:slow"


def prepared(root: Path, section: SequencePrepareConfig = toys.PREPARE) -> None:
    toys.write(root, extra=(GAP,))
    through.divided(root, toys.DATA)
    prepare(root / "split", toys.DATA, section, max_pixels=1, out=root / "prepare")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    prepared(tmp_path)
    return tmp_path


def test_the_scaling_is_that_of_the_training_split_alone(root: Path) -> None:
    preprocessor = io.read_json(root / "prepare" / "preprocessor.json")
    training, test = (Store.open(root / "prepare" / side, verify=True) for side in ("train", "test"))
    values, _ = training.field("signal")
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)
    assert abs(test.field("signal")[0].mean(axis=0)).max() > 1e-4
    assert preprocessor["mean"] == pytest.approx([5, -40], abs=1)
    assert preprocessor["channels"] == 2


def test_the_same_sequences_give_the_same_bytes(root: Path) -> None:
    first = io.sha256_tree(root / "prepare")
    prepare(root / "split", toys.DATA, toys.PREPARE, max_pixels=1, out=root / "prepare")
    assert io.sha256_tree(root / "prepare") == first


def test_sequences_can_be_brought_to_one_length(root: Path) -> None:
    section = toys.PREPARE.model_copy(update={"length": 12})
    prepare(root / "split", toys.DATA, section, max_pixels=1, out=root / "short")
    assert set(Store.open(root / "short" / "train").lengths("signal")) == {12}


def test_a_gap_where_none_may_be_is_refused_with_its_place(root: Path) -> None:
    section = toys.PREPARE.model_copy(update={"missing": "refuse"})
    with pytest.raises(
        DataError, match=r"Waves\.ts#124: 1 values are missing, the first at step 0"
    ) as refused:
        prepare(root / "split", toys.DATA, section, max_pixels=1, out=root / "short")
    assert "prepare.missing" in refused.value.fix


def test_a_sequence_that_changed_since_ingest_is_refused(root: Path) -> None:
    file = root / "raw" / "Waves.ts"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[5] = lines[5].replace(",", ",1", 1)
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match="is not what it was"):
        prepare(root / "split", toys.DATA, toys.PREPARE, max_pixels=1, out=root / "again")


def test_copies_on_disk_are_augmented_sequences_of_the_same_samples(root: Path) -> None:
    section = AugmentConfig(online=False, offline_copies=2, seed=0, transforms=STEPS)
    augment(root / "prepare", section, root / "augment")
    plain = Store.open(root / "prepare" / "train")
    copies = Store.open(root / "augment" / "train", verify=True)
    assert copies.target.tolist() == plain.target.tolist() * 2
    assert copies.lengths("signal").sum() < 2 * plain.lengths("signal").sum()
    assert len(pd.read_csv(root / "augment" / "preview.csv").columns) == 24


@pytest.mark.slow
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_model_of_sequences_goes_through_all_stages(root: Path, name: str) -> None:
    model = SEQUENCES[name] | ({"hidden": 16} if "hidden" in SEQUENCES[name] else {})
    through.learned(root, STEPS, model, TRAIN, EVALUATE)
    metrics = io.read_json(root / "evaluate" / "metrics.json")
    assert metrics["test"]["accuracy"] > 0.85
    assert metrics["baseline"]["name"] == "nearest_euclidean"
    assert set(metrics["robustness"]) >= {"noise", "missing", "shifted", "warped", "scaled"}
    assert "<svg" in (root / "evaluate" / "report.html").read_text(encoding="utf-8")
    _answers_without_the_project(root / "bundle")


def _answers_without_the_project(bundle: Path) -> None:
    samples = golden.read(bundle)
    expected = [sample["probabilities"] for sample in samples]
    file = bundle.parent / "sequence.json"
    file.write_bytes(samples[0]["content"])
    assert through.answer(bundle, file) == pytest.approx(expected[0], abs=1e-4)
    predictor = Predictor(bundle)
    given = predictor.input
    cells = [given.cell(sample["content"].decode()) for sample in samples]
    found = [list(each["probabilities"].values()) for each in predictor.predict(cells)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    names, contents = sequences.read([file, bundle.parent / "raw"])
    assert names[0] == str(file)
    assert len(contents) == 122
    with pytest.raises(given.BAD, match=r"it has 1 channel\(s\), the model learned from 2"):
        predictor.prepare(given.received([1, 2, 3]))
    with pytest.raises(ValueError, match="not a sequence"):
        given.received(7)
    assert predictor.heatmap(samples[0]["content"]).max() <= 1
