from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import save_file
from scipy import special

from convoy import io
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import LeNet5Config
from convoy.data.store import Store
from convoy.stages.evaluate import evaluate
from convoy.training import network
from tests.toys import CLASSES, write_prepared

CONFIG = EvaluateConfig(
    resamples=100,
    confidence=0.95,
    mistakes=5,
    calibration="temperature",
    baseline="hog_linear",
    robustness_samples=8,
    tta=0,
    seed=0,
)
TURN = {"name": "Rotate", "limit": [-20, 20], "p": 1.0}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Outputs of the stages before, with an untrained network."""
    preprocessor = write_prepared(tmp_path / "prepared")
    torch.manual_seed(0)
    section = LeNet5Config(name="lenet5")
    (tmp_path / "train").mkdir()
    save_file(network.build(section, preprocessor).state_dict(), tmp_path / "train" / "model.safetensors")
    augment = {"online": False, "transforms": [TURN]}
    sections = {"model": section.model_dump(), "objective": {"name": "classification"}, "augment": augment}
    io.write_json(tmp_path / "train" / "training.json", sections)
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "val_loss": [1.0, 0.6]})
    history.assign(val_accuracy=[0.5, 0.8]).to_csv(tmp_path / "train" / "history.csv", index=False)
    stores = [Store.open(tmp_path / "prepared" / split) for split in ("train", "val", "test")]
    ids = [value.decode() for store in stores for value in store.id.tolist()]
    (tmp_path / "split").mkdir()
    frame = pd.DataFrame({"id": ids, "path": [f"猫 {n}.png" for n in range(len(ids))]})
    frame = frame.assign(
        target="x", split="y", width=[12, 14] * (len(ids) // 2), height=12, mode="L", bytes=99
    )
    frame.to_parquet(tmp_path / "split" / "samples.parquet")
    return tmp_path


def run(place: Path, out: str = "out", **changes: Any) -> Path:
    config = CONFIG.model_copy(update=changes)
    evaluate(place / "train", place / "prepared", place / "split", config, place / out)
    return place / out


def logits(place: Path, split: str) -> tuple[np.ndarray, Store]:
    store = Store.open(place / "prepared" / split)
    net = network.load(place / "train", io.read_json(place / "prepared" / "preprocessor.json"))
    with torch.inference_mode():
        return net(torch.from_numpy(store.images.copy())).numpy().astype(np.float64), store


def test_there_is_one_prediction_a_sample_and_it_is_the_calibrated_networks(place: Path) -> None:
    out = run(place)
    table = pd.read_parquet(out / "predictions.parquet")
    assert table.groupby("split").size().to_dict() == {"test": 32, "val": 16}
    assert table["path"].str.startswith("猫 ").all()
    temperature = io.read_json(out / "calibration.json")["temperature"]
    assert temperature != 1.0
    values, store = logits(place, "test")
    expected = special.softmax(values / temperature, axis=1)
    rows = table[table["split"] == "test"].set_index("id")
    for n, key in enumerate(store.id.tolist()):
        row = rows.loc[key.decode()]
        np.testing.assert_allclose(row[["p:down", "p:up"]].to_numpy(float), expected[n], atol=1e-6)
        assert row["prediction"] == CLASSES[expected[n].argmax()]
        assert row["confidence"] == pytest.approx(expected[n].max(), abs=1e-6)
        assert row["loss"] == pytest.approx(-np.log(expected[n][store.target[n]]), rel=1e-5)
        assert row["brightness"] == round(float(store.images[n].mean()), 2)


def test_the_table_holds_what_slices_are_made_of(place: Path) -> None:
    table = pd.read_parquet(run(place) / "predictions.parquet")
    assert list(table.columns[7:12]) == ["width", "height", "mode", "bytes", "brightness"]
    assert set(table["target"]) == set(CLASSES)  # of the store, not of the manifest
    assert set(table["width"]) == {12, 14}


def test_without_calibration_the_probabilities_are_the_networks(place: Path) -> None:
    out = run(place, calibration="none")
    facts = io.read_json(out / "calibration.json")
    assert (facts["method"], facts["temperature"]) == ("none", 1.0)
    assert facts["val"]["log_loss_before"] == facts["val"]["log_loss_after"]
    values, store = logits(place, "val")
    table = pd.read_parquet(out / "predictions.parquet").set_index("id")
    first = table.loc[store.id[0].decode(), ["p:down", "p:up"]].to_numpy(float)
    np.testing.assert_allclose(first, special.softmax(values[0]), atol=1e-6)


def test_calibration_does_not_make_the_validation_loss_worse(place: Path) -> None:
    out = run(place)
    facts, values = io.read_json(out / "calibration.json"), io.read_json(out / "metrics.json")
    for split in ("val", "test"):
        assert values[split]["log_loss"] == facts[split]["log_loss_after"]
        assert values[split]["ece"] == facts[split]["ece_after"]
    assert facts["val"]["log_loss_after"] < facts["val"]["log_loss_before"]
    assert set(facts["thresholds"]) == set(CLASSES)


def test_metrics_pictures_and_tables_are_there(place: Path) -> None:
    out = run(place)
    values = io.read_json(out / "metrics.json")
    assert 0 <= values["test"]["accuracy"] <= 1
    assert values["intervals"]["accuracy"][0] <= values["test"]["accuracy"]
    assert set(values["intervals"]) == set(values["test"]) - {"samples"}
    assert values["baseline"]["name"] == "hog_linear"
    assert len(pd.read_csv(out / "details" / "confusion.csv")) == 32
    assert len(pd.read_csv(out / "robustness.csv")) == 15
    assert pd.read_csv(out / "details" / "reliability.csv").groupby(["split", "stage"])[
        "count"
    ].sum().tolist() == [
        32,
        32,
        16,
        16,
    ]
    for picture in ("details/confusion.png", "curves.png", "mistakes.png"):
        with Image.open(out / picture) as image:
            assert image.width > 200
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_all_outputs_are_those_that_dvc_knows(place: Path, repository: Path) -> None:
    stage = YAML(typ="safe").load((repository / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate"]
    declared = {Path(name).name for name in [*stage["outs"], *stage["metrics"]]}
    assert {path.name for path in run(place).iterdir()} == declared


def test_what_is_switched_off_is_not_there(place: Path) -> None:
    out = run(place, robustness_samples=0, baseline="none")
    values = io.read_json(out / "metrics.json")
    assert "robustness" not in values
    assert "tta" not in values
    assert values["baseline"]["name"] == "majority"
    assert pd.read_csv(out / "robustness.csv").empty


def test_augmented_copies_are_averaged_beside_the_plain_metrics(place: Path) -> None:
    plain = io.read_json(run(place) / "metrics.json")
    averaged = io.read_json(run(place, "tta", tta=3) / "metrics.json")
    assert averaged["test"] == plain["test"]
    assert averaged["tta"]["copies"] == 3
    assert averaged["tta"]["log_loss"] != plain["test"]["log_loss"]
    assert set(averaged["tta"]) == {*plain["test"], "copies"}


def test_the_same_inputs_give_the_same_bytes(place: Path) -> None:
    assert io.sha256_tree(run(place, "a", tta=1)) == io.sha256_tree(run(place, "b", tta=1))
