"""A fit leaves what a training leaves, from the training split alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from convoy.config.model import ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.data.loader import BatchLoader
from convoy.data.store import Store
from convoy.errors import DataError
from convoy.training import classical, network
from convoy.training.fit import Fitted
from convoy.training.journal import EPOCH_SECONDS, Journal
from convoy.training.objectives._base import Targets
from convoy.training.objectives.classification import Classification
from tests.toys import CLASSES, images, write_prepared

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
HOG = {"name": "hog"}
PIXELS = {"name": "pixels"}


def fit(place: Path, section: dict[str, Any] = HOG, *, seed: int = 0, **objective: Any) -> Fitted:
    preprocessor = write_prepared(place)
    model = CONFIG.validate_python(section)
    train, val = (Store.open(place / side) for side in ("train", "val"))
    journal = Journal(place / "journal.jsonl")
    journal.append("start")
    wanted = ClassificationConfig(name="classification", **objective)
    return classical.fit(
        lambda: network.build(model, preprocessor),
        model,
        Classification(wanted, Targets(CLASSES, train.target)),
        outputs=2,
        seed=seed,
        train=[train],
        val=val,
        journal=journal,
    )


def answers(place: Path, fitted: Fitted, section: dict[str, Any]) -> torch.Tensor:
    net = network.build(CONFIG.validate_python(section), write_prepared(place)).eval()
    net.load_state_dict(fitted.weights)
    with torch.inference_mode():
        found: torch.Tensor = net(torch.from_numpy(images(32, seed=2))).argmax(1)
    return found


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_it_learns_the_task(tmp_path: Path) -> None:
    fitted = fit(tmp_path, PIXELS)
    assert (fitted.best_epoch, fitted.epochs_run, fitted.ended_by) == (0, 1, "fit")
    assert (answers(tmp_path, fitted, PIXELS).numpy() == np.arange(32) % 2).mean() > 0.9


def test_the_journal_holds_one_epoch_with_both_splits(tmp_path: Path) -> None:
    fit(tmp_path, PIXELS)
    [start, event] = Journal(tmp_path / "journal.jsonl").events()
    assert (start["event"], event["event"], event["step"]) == ("start", "metrics", 0)
    assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy", EPOCH_SECONDS} <= set(event["values"])
    assert event["values"]["val_accuracy"] > 0.9


def test_what_an_interrupted_fit_wrote_is_not_kept(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.jsonl").append("metrics", step=0, values={"val_loss": 1.0})
    fit(tmp_path)
    assert [e["event"] for e in Journal(tmp_path / "journal.jsonl").events()] == ["start", "metrics"]


@pytest.mark.parametrize(
    "section",
    [
        HOG,
        {"name": "pixels", "classifier": {"name": "random_forest", "trees": 5}},
        {"name": "pixels", "classifier": {"name": "gradient_boosting", "rounds": 5}},
    ],
    ids=["hog", "forest", "boosting"],
)
def test_equal_seeds_give_equal_bits_and_threads_change_no_feature(
    tmp_path: Path, section: dict[str, Any]
) -> None:
    first, again = (fit(tmp_path / name, section) for name in ("first", "again"))
    assert all(torch.equal(value, again.weights[name]) for name, value in first.weights.items())
    net = network.build(CONFIG.validate_python(HOG), write_prepared(tmp_path / "first")).eval()
    loader = BatchLoader([Store.open(tmp_path / "first" / "train")], batch_size=16, workers=0)
    one, three = (classical.features(net, loader, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_the_seed_decides_what_a_forest_draws(tmp_path: Path) -> None:
    section = {"name": "pixels", "classifier": {"name": "random_forest", "trees": 5}}
    first, other = (fit(tmp_path / str(seed), section, seed=seed).weights for seed in (0, 1))
    assert not torch.equal(first["body.head.trees.feature"][:5], other["body.head.trees.feature"][:5]) or (
        len(first["body.head.trees.feature"]) != len(other["body.head.trees.feature"])
    )


def test_weights_of_classes_count(tmp_path: Path) -> None:
    section = {"name": "pixels", "classifier": {"name": "logistic", "C": 1e-6}}
    plain = fit(tmp_path / "plain", section)
    heavy = fit(tmp_path / "heavy", section, class_weights={"up": 50.0})
    assert heavy.weights["body.head.bias"][1] > plain.weights["body.head.bias"][1] + 1


def test_copies_on_disk_are_fitted_to(tmp_path: Path) -> None:
    preprocessor = write_prepared(tmp_path)
    model = CONFIG.validate_python(HOG)
    train = Store.open(tmp_path / "train")
    loader = BatchLoader([train, Store.open(tmp_path / "test")], batch_size=8, workers=0)
    net = network.build(model, preprocessor).eval()
    assert classical.features(net, loader, 1).shape[0] == 64 + 32


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    preprocessor = write_prepared(tmp_path, train=1)
    model = CONFIG.validate_python(HOG)
    train, val = (Store.open(tmp_path / side) for side in ("train", "val"))
    with pytest.raises(DataError, match="holds samples of one class"):
        classical.fit(
            lambda: network.build(model, preprocessor), model,
            Classification(ClassificationConfig(name="classification")),
            outputs=2, seed=0, train=[train], val=val, journal=Journal(tmp_path / "journal.jsonl"),
        )  # fmt: skip
