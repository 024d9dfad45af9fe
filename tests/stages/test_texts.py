"""Texts through all stages, as pictures go: the same functions, other parts."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from convoy import io
from convoy.bundle import golden
from convoy.config.augment import AugmentConfig
from convoy.config.data import TextPrepareConfig
from convoy.data.store import Store
from convoy.serving.predictor import Predictor
from convoy.stages.augment import augment
from convoy.stages.prepare import prepare
from tests.data.modalities.text import toys
from tests.models.sections import TEXTS
from tests.stages import through

TRAIN = through.training(epochs=12, batch_size=16, lr=0.02)
EVALUATE = through.evaluating("tfidf_linear", robustness_samples=10)
STEPS: list[Any] = [{"name": "word_dropout", "rate": 0.1}, {"name": "swap"}]


def prepared(root: Path) -> None:
    toys.write(root)
    through.divided(root, toys.DATA)
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
    model = TEXTS[name]
    through.learned(root, STEPS, model, TRAIN, EVALUATE)
    metrics = io.read_json(root / "evaluate" / "metrics.json")
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["baseline"]["name"] == "tfidf_linear"
    assert set(metrics["robustness"]) >= {"left out", "swapped", "unknown", "cut"}
    _answers_without_the_project(root / "bundle", root / "raw" / "all.txt")


def _answers_without_the_project(bundle: Path, raw: Path) -> None:
    samples = golden.read(bundle)
    text = samples[0]["content"].decode()
    assert text in raw.read_text(encoding="utf-8")
    file = bundle.parent / "text.txt"
    file.write_text(text, encoding="utf-8")
    assert through.answer(bundle, file) == pytest.approx(samples[0]["probabilities"], abs=1e-4)
    predictor = Predictor(bundle)
    with pytest.raises(predictor.input.BAD, match="empty"):
        predictor.prepare("   ")
    assert predictor.heatmap(text).max() <= 1
