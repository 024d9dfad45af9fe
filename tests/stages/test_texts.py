"""Texts through all stages, as pictures go: the same functions, other parts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from convoy import io
from convoy.bundle import golden
from convoy.config.augment import AugmentConfig
from convoy.config.data import SplitConfig, TextPrepareConfig, ValidateConfig
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.train import TrainConfig
from convoy.data.store import Store
from convoy.serving.predictor import Predictor
from convoy.stages.augment import augment
from convoy.stages.evaluate import evaluate
from convoy.stages.ingest import ingest
from convoy.stages.package import package
from convoy.stages.prepare import prepare
from convoy.stages.split import split
from convoy.stages.train import train
from convoy.stages.validate import validate
from tests.data.modalities.text import toys
from tests.models.sections import TEXTS

MODEL: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
TRAIN = TypeAdapter(TrainConfig).validate_python(
    {
        "seed": 0, "epochs": 12, "batch_size": 16, "device": "cpu", "precision": "fp32", "threads": 1,
        "compile": "off", "early_stopping": None, "optimizer": {"name": "adamw", "lr": 0.02},
        "schedule": {"name": "fixed"},
    }
)  # fmt: skip
EVALUATE = EvaluateConfig(
    resamples=100, confidence=0.95, mistakes=3, calibration="temperature", baseline="tfidf_linear",
    robustness_samples=10, tta=1, seed=0,
)  # fmt: skip
STEPS: list[Any] = [{"name": "word_dropout", "rate": 0.1}, {"name": "swap"}]


def prepared(root: Path) -> None:
    toys.write(root)
    ingest(toys.DATA, out=root / "ingest", corrections=root / "none.csv")
    gate = ValidateConfig(max_bad_fraction=0.1, max_pixels=1000, min_per_class=3)
    validate(root / "ingest", toys.DATA, gate, out=root / "validate", base=root)
    how = SplitConfig(strategy="auto", val=0.2, test=0.2, seed=0)
    split(root / "validate", how, out=root / "split")
    section = TextPrepareConfig(tokens="words", min_count=2)
    prepare(root / "split", toys.DATA, section, max_pixels=1, out=root / "prepare")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    prepared(tmp_path)
    return tmp_path


def test_the_vocabulary_is_that_of_the_training_split_alone(root: Path) -> None:
    preprocessor = io.read_json(root / "prepare" / "preprocessor.json")
    samples = pd.read_parquet(root / "split" / "samples.parquet")
    lines = (root / "raw" / "all.txt").read_text(encoding="utf-8").splitlines()
    texts = {path: lines[int(path.partition("#")[2]) - 1].split() for path in samples["path"]}
    learned = {word for path in samples["path"][samples["split"] == "train"] for word in texts[path][1:]}
    assert set(preprocessor["vocabulary"][2:]) <= learned
    assert not [word for word in preprocessor["vocabulary"] if word.isdigit()], "each number occurs once"
    assert preprocessor["vocabulary"][:2] == ["<pad>", "<unk>"]


def test_the_same_texts_give_the_same_bytes(root: Path) -> None:
    first = io.sha256_tree(root / "prepare")
    prepare(root / "split", toys.DATA, TextPrepareConfig(tokens="words", min_count=2), max_pixels=1,
            out=root / "prepare")  # fmt: skip
    assert io.sha256_tree(root / "prepare") == first


def test_copies_on_disk_are_augmented_texts_of_the_same_samples(root: Path) -> None:
    section = AugmentConfig(online=False, offline_copies=2, seed=0, transforms=STEPS)
    augment(root / "prepare", section, root / "augment")
    plain, copies = (
        Store.open(root / "prepare" / "train"),
        Store.open(root / "augment" / "train", verify=True),
    )
    assert len(copies) == 2 * len(plain)
    assert copies.target.tolist() == plain.target.tolist() * 2
    assert copies.lengths("tokens").sum() < 2 * plain.lengths("tokens").sum()
    assert (root / "augment" / "preview.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name == "textcnn" else pytest.param(name, marks=pytest.mark.slow) for name in TEXTS]
)
def test_a_model_of_texts_goes_through_all_stages(root: Path, name: str) -> None:
    augment(
        root / "prepare",
        AugmentConfig(online=True, offline_copies=0, seed=0, transforms=STEPS),
        root / "augment",
    )
    train(
        root / "prepare",
        root / "augment",
        MODEL.validate_python(TEXTS[name]),
        ClassificationConfig(name="classification"),
        TRAIN,
        state=root / "state",
        out=root / "train",
    )
    evaluate(root / "train", root / "prepare", root / "split", EVALUATE, root / "evaluate")
    metrics = io.read_json(root / "evaluate" / "metrics.json")
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["baseline"]["name"] == "tfidf_linear"
    assert set(metrics["robustness"]) >= {"left out", "swapped", "unknown", "cut"}
    package(root / "train", root / "evaluate", root / "prepare", root / "split", root / "bundle")
    _answers_without_the_project(root / "bundle", root / "raw" / "all.txt")


def _answers_without_the_project(bundle: Path, raw: Path) -> None:
    for code in (bundle / "code").glob("*.py"):
        assert "from convoy" not in code.read_text(encoding="utf-8")
    samples = golden.read(bundle)
    text = samples[0]["content"].decode()
    assert text in raw.read_text(encoding="utf-8")
    file = bundle.parent / "text.txt"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, str(bundle / "code" / "predictor.py"), str(file)]
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=bundle.parent, env=bare)
    answer = json.loads(done.stdout)["probabilities"]
    assert list(answer.values()) == pytest.approx(samples[0]["probabilities"], abs=1e-4)
    predictor = Predictor(bundle)
    with pytest.raises(predictor.input.BAD, match="empty"):
        predictor.prepare("   ")
    assert predictor.heatmap(text).max() <= 1
