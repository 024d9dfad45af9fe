from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from convoy import io
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import LeNet5Config
from convoy.data.store import Store
from convoy.stages.evaluate import evaluate
from convoy.training import network
from tests.toys import CLASSES, write_prepared

CONFIG = EvaluateConfig(resamples=100, confidence=0.95, mistakes=5, seed=0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Outputs of the stages before, with an untrained network."""
    preprocessor = write_prepared(tmp_path / "prepared")
    torch.manual_seed(0)
    section = LeNet5Config(name="lenet5")
    (tmp_path / "train").mkdir()
    save_file(network.build(section, preprocessor).state_dict(), tmp_path / "train" / "model.safetensors")
    io.write_json(tmp_path / "train" / "training.json", {"model": section.model_dump()})
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "val_loss": [1.0, 0.6]})
    history.assign(val_accuracy=[0.5, 0.8]).to_csv(tmp_path / "train" / "history.csv", index=False)
    stores = [Store.open(tmp_path / "prepared" / split) for split in ("train", "val", "test")]
    ids = [value.decode() for store in stores for value in store.id.tolist()]
    (tmp_path / "split").mkdir()
    frame = pd.DataFrame({"id": ids, "path": [f"猫 {n}.png" for n in range(len(ids))]})
    frame.to_parquet(tmp_path / "split" / "samples.parquet")
    return tmp_path


def run(place: Path, out: str = "out") -> Path:
    evaluate(place / "train", place / "prepared", place / "split", CONFIG, place / out)
    return place / out


def test_there_is_one_prediction_a_sample_and_it_is_the_networks(place: Path) -> None:
    table = pd.read_parquet(run(place) / "predictions.parquet")
    assert table.groupby("split").size().to_dict() == {"test": 32, "val": 16}
    assert table["path"].str.startswith("猫 ").all()
    store = Store.open(place / "prepared" / "test")
    net = network.load(place / "train", io.read_json(place / "prepared" / "preprocessor.json"))
    with torch.inference_mode():
        expected = torch.softmax(net(torch.from_numpy(store.images.copy())), 1).numpy()
    rows = table[table["split"] == "test"].set_index("id")
    for n, key in enumerate(store.id.tolist()):
        row = rows.loc[key.decode()]
        np.testing.assert_allclose(row[["p:down", "p:up"]].to_numpy(float), expected[n], atol=1e-6)
        assert row["prediction"] == CLASSES[expected[n].argmax()]
        assert row["loss"] == pytest.approx(-np.log(expected[n][store.target[n]]), rel=1e-5)


def test_metrics_pictures_and_tables_are_there(place: Path) -> None:
    out = run(place)
    values = io.read_json(out / "metrics.json")
    assert 0 <= values["test"]["accuracy"] <= 1
    assert values["intervals"]["accuracy"][0] <= values["test"]["accuracy"]
    assert len(pd.read_csv(out / "confusion.csv")) == 32
    for picture in ("confusion.png", "curves.png", "mistakes.png"):
        with Image.open(out / picture) as image:
            assert image.width > 200


def test_the_same_inputs_give_the_same_bytes(place: Path) -> None:
    assert io.sha256_tree(run(place, "a")) == io.sha256_tree(run(place, "b"))
