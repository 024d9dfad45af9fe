"""Tables through all stages, as pictures and texts go: the same functions, other parts."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy import io
from convoy.bundle import golden
from convoy.config.augment import AugmentConfig
from convoy.config.data import DataConfig
from convoy.config.tables import TablePrepareConfig
from convoy.data.store import Store
from convoy.errors import DataError
from convoy.registry import versions
from convoy.serving.predictor import Predictor
from convoy.stages.augment import augment
from convoy.stages.ingest import ingest
from convoy.stages.prepare import prepare
from tests.data.modalities.table import toys
from tests.stages import through

TRAIN = through.training(epochs=12, batch_size=32, lr=0.01)
EVALUATE = through.evaluating("gradient_boosting", robustness_samples=50)
STEPS: list[Any] = [{"name": "noise", "std": 0.05}, {"name": "unknown", "rate": 0.02}]


def divided(root: Path, data: DataConfig = toys.DATA, count: int = 240) -> None:
    toys.write(root, count)
    through.divided(root, data)


def prepared(root: Path, **section: Any) -> dict[str, Any]:
    config = TablePrepareConfig.model_validate(section)
    prepare(root / "split", toys.DATA, config, max_pixels=1, out=root / "prepare")
    found: dict[str, Any] = io.read_json(root / "prepare" / "preprocessor.json")
    return found["spec"]  # type: ignore[no-any-return]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    divided(tmp_path)
    return tmp_path


def test_what_is_fitted_is_that_of_the_training_split_alone(root: Path) -> None:
    spec = prepared(root, numbers={"impute": "mean", "scale": "standard"})
    samples = pd.read_parquet(root / "split" / "samples.parquet")
    table = pd.read_csv(root / "raw" / "flats.csv")
    rows = [int(path.partition("#")[2]) - 2 for path in samples["path"][samples["split"] == "train"]]
    sizes = table["size"].iloc[rows]
    [size] = [each for each in spec["numbers"] if each["name"] == "size"]
    assert size["fill"] == pytest.approx(sizes.mean())
    assert size["scale"] == pytest.approx(sizes.fillna(sizes.mean()).std(ddof=0))
    assert {c["name"]: c["kind"] for c in spec["columns"]} == {
        "size": "number", "rooms": "number", "kind": "category", "town": "category", "balcony": "boolean",
        "built": "date",
    }  # fmt: skip


def test_the_same_rows_give_the_same_bytes(root: Path) -> None:
    section: Any = {"numbers": {"scale": "quantile"}, "select": {"name": "mutual_information", "keep": 5}}
    prepared(root, **section)
    first = io.sha256_tree(root / "prepare")
    prepared(root, **section)
    assert io.sha256_tree(root / "prepare") == first


def test_outliers_are_dropped_from_the_training_split_alone(root: Path) -> None:
    prepared(root)
    before = {side: len(Store.open(root / "prepare" / side)) for side in ("train", "val", "test")}
    prepared(root, numbers={"outliers": {"name": "isolation_forest", "action": "drop", "limit": 0.1}})
    after = {side: len(Store.open(root / "prepare" / side)) for side in ("train", "val", "test")}
    assert 0.85 * before["train"] < after["train"] < 0.95 * before["train"]
    assert {**before, "train": 0} == {**after, "train": 0}


def test_an_unseen_category_stops_prepare_where_that_was_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    divided(tmp_path)
    samples = pd.read_parquet(tmp_path / "split" / "samples.parquet")
    [path, *_] = samples["path"][samples["split"] == "test"]
    line = int(path.partition("#")[2])
    toys.write(tmp_path, town={line - 2: "Trier"})
    ingest(toys.DATA, out=tmp_path / "ingest", corrections=tmp_path / "none.csv")
    now = pd.read_parquet(tmp_path / "ingest" / "samples.parquet").set_index("path")["id"]
    samples["id"] = now.loc[samples["path"]].to_numpy()
    samples.to_parquet(tmp_path / "split" / "samples.parquet")
    with pytest.raises(DataError, match="column 'town': 'Trier' is none of the categories") as error:
        prepared(tmp_path, categories={"unseen": "error"})
    assert f"flats.csv:{line}" in str(error.value.where)
    assert prepared(tmp_path, categories={"unseen": "unknown"})


def test_copies_on_disk_are_augmented_rows_of_the_same_samples(root: Path) -> None:
    prepared(root)
    section = AugmentConfig(online=False, offline_copies=2, seed=0, transforms=STEPS)
    augment(root / "prepare", section, root / "augment")
    plain = Store.open(root / "prepare" / "train")
    copies = Store.open(root / "augment" / "train", verify=True)
    assert len(copies) == 2 * len(plain)
    assert copies.target.tolist() == plain.target.tolist() * 2
    assert (root / "augment" / "preview.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("encode", ["embedding", "one_hot"])
def test_a_table_goes_through_all_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encode: str
) -> None:
    monkeypatch.chdir(tmp_path)
    divided(root := tmp_path, count=600)
    outliers = {"name": "isolation_forest", "action": "flag"}
    prepared(
        root, categories={"encode": encode}, numbers={"scale": "piecewise", "bins": 8, "outliers": outliers}
    )
    model = {"name": "mlp", "hidden": [32], "dropout": 0.0}
    through.learned(root, STEPS, model, TRAIN, EVALUATE)
    metrics = io.read_json(root / "evaluate" / "metrics.json")
    assert metrics["test"]["accuracy"] > 0.8
    assert metrics["baseline"]["name"] == "gradient_boosting"
    assert set(metrics["robustness"]) >= {"missing values", "noise", "unknown categories", "size exchanged"}
    assert metrics["robustness"]["size exchanged"] < metrics["robustness"]["town exchanged"]
    page = (root / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert "column balcony: yes" in page
    assert "<mark" in page
    _answers_without_the_project(root / "bundle")
    model_of_mlflow = SimpleNamespace(artifact_location=str(root / "mlflow"), model_id="m-1")
    versions._save_pyfunc(root / "bundle", root / "mlflow", model_of_mlflow, "run")
    versions.check_pyfunc(root / "mlflow")  # a column of the table is a column of the model


def _answers_without_the_project(bundle: Path) -> None:
    samples = golden.read(bundle)
    row = json.loads(samples[0]["content"])
    assert set(row) == set(toys.COLUMNS)
    file = bundle.parent / "row.json"
    file.write_bytes(samples[0]["content"])
    assert through.answer(bundle, file) == pytest.approx(samples[0]["probabilities"], abs=1e-4)
    predictor = Predictor(bundle)
    with pytest.raises(predictor.input.BAD, match=r"column 'size' \(is 'Size' it\?\) missing"):
        predictor.prepare(
            json.dumps({"Size" if name == "size" else name: value for name, value in row.items()})
        )
    assert predictor.heatmap(json.dumps(row)).max() <= 1
    frame = pd.DataFrame([json.loads(sample["content"]) for sample in samples])
    answers = predictor.predict(predictor.input.frame(frame))
    found = np.array([list(each["probabilities"].values()) for each in answers])
    np.testing.assert_allclose(found, [sample["probabilities"] for sample in samples], atol=1e-4)
