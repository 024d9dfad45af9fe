import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from convoy.data.store import Store
from convoy.evaluation import predictions
from convoy.evaluation.modalities.image import view
from convoy.training.entries.image import ImageNetwork
from convoy.training.network import Network
from tests.toys import CLASSES, write_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write_store(tmp_path / "test", 70)
    return Store.open(tmp_path / "test")


def network() -> Network:
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 2), torch.nn.Dropout(0.5))
    return ImageNetwork(body, [0.4], [0.25])


def samples(store: Store) -> pd.DataFrame:
    ids = [value.decode() for value in store.id.tolist()]
    return pd.DataFrame({"id": ids, "path": [f"{n}.png" for n in range(len(ids))]})


def test_logits_of_many_batches_are_those_of_one(store: Store) -> None:
    net = network()
    with torch.inference_mode():
        expected = net.eval()(torch.from_numpy(store.images.copy())).numpy()
    np.testing.assert_allclose(predictions.logits(net.train(), store.images), expected, atol=1e-5)


def test_bf16_gives_nearly_the_same_answers(store: Store) -> None:
    net = network()
    exact, fast = predictions.logits(net, store.images), predictions.logits(net, store.images, bf16=True)
    assert fast.dtype == np.float32
    assert 0 < np.abs(exact - fast).max() < 0.05


def test_a_temperature_changes_how_sure_but_not_which() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    plain, warm = predictions.softmax(values), predictions.softmax(values, 4.0)
    assert (plain.argmax(axis=1) == warm.argmax(axis=1)).all()
    assert (warm.max(axis=1) < plain.max(axis=1)).all()
    np.testing.assert_allclose(warm.sum(axis=1), 1.0, atol=1e-6)


def test_huge_logits_and_impossible_answers_stay_finite() -> None:
    values = np.array([[1e4, 0.0], [0.0, 1e4]], np.float32)
    loss = predictions.losses(predictions.softmax(values, 0.05), np.array([1, 1]))
    assert loss[1] == 0.0
    assert 80 < loss[0] < 100


def test_brightness_is_the_mean_pixel() -> None:
    images = np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 255)]).astype(np.uint8)
    images[0, 0, 0, 0] = 1
    assert view.measured(images)["brightness"].tolist() == [0.02, 255.0]


def test_rows_are_sorted_and_carry_the_manifests_columns(store: Store) -> None:
    manifest = samples(store).assign(width=range(70), group="g", confidence=7, **{"p:up": "x"})
    probability = predictions.softmax(np.eye(2, dtype=np.float32)[store.target])
    table = predictions.table(
        {"test": (store, probability)}, CLASSES, manifest.sample(frac=1, random_state=0), view.measures
    )
    assert table["id"].is_monotonic_increasing
    assert list(table.columns) == [
        "id", "split", "path", "target", "prediction", "confidence", "loss", "width", "group", "brightness",
        "p:down", "p:up",
    ]  # fmt: skip
    assert (
        table.merge(manifest, on="id")["width_x"].tolist()
        == table.merge(manifest, on="id")["width_y"].tolist()
    )
    assert (table["confidence"] < 1).all()
    assert predictions.class_names(table) == CLASSES


def test_reading_predictions_needs_no_torch() -> None:
    code = "import sys, convoy.evaluation.slices; sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
