"""Autoencoders from a folder of pictures to the bundle, through all stages."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from convoy import io, layout
from convoy.bundle import golden
from convoy.config.load import load
from convoy.data.store import Store
from convoy.gate import scoring
from convoy.gate.rules import Evidence
from convoy.gate.verdict import judge
from convoy.serving.predictor import Predictor
from convoy.serving.schemas import Answers, Restored
from tests.models.sections import CODERS
from tests.objectives import toyline
from tests.objectives.test_contract import sections
from tests.objectives.toyline import params, written


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    root = tmp_path_factory.mktemp("restored")
    toyline.write_spots(root / "data")
    document = params(
        repository, model=CODERS["conv_autoencoder"], **sections("reconstruction", "classification")
    )
    document["data"].update(target="half")
    document["evaluate"]["baseline"] = "pca"
    document["train"]["epochs"] = 6
    document["register"]["model"] = "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        toyline.run(written(document, root))
    return root


def _images(root: Path, split: str) -> tuple[list[str], np.ndarray[Any, Any]]:
    store = Store.open(root / layout.PREPARE / split)
    return [value.decode("ascii") for value in store.id.tolist()], np.asarray(store.images)


def test_the_error_of_a_sample_is_the_mean_square_over_its_pixels(made: Path) -> None:
    predictor = Predictor(made / layout.BUNDLE)
    table = pd.read_parquet(made / layout.EVALUATE / "predictions.parquet").set_index("id")
    names, images = _images(made, "test")
    raw = predictor.logits(images)
    size = images[0].size
    apart = raw[:, -size:] - images.reshape(len(images), -1) / 255  # of grey pictures in one order
    expected = (apart**2).mean(axis=1)
    np.testing.assert_allclose(table.loc[names, "error"], expected, rtol=1e-3)
    np.testing.assert_allclose(table.loc[names, "mae"], np.abs(apart).mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(table.loc[names, "psnr"], -10 * np.log10(expected), rtol=1e-3)
    np.testing.assert_allclose(predictor.decode(images)[:, 0], expected, rtol=1e-3)
    restored = predictor.output.pictures(raw)
    assert restored.shape == images.shape
    assert np.abs(restored / 255 - raw[:, -size:].reshape(images.shape)).max() <= 0.5 / 255 + 1e-6
    metrics = io.read_json(made / layout.EVALUATE / "metrics.json")
    assert metrics["test"]["mse"] == pytest.approx(expected.mean(), rel=1e-3)
    low, high = metrics["intervals"]["mse"]
    assert low <= metrics["test"]["mse"] <= high


def test_it_is_compared_with_as_many_principal_components_of_the_training_split(made: Path) -> None:
    metrics = io.read_json(made / layout.EVALUATE / "metrics.json")
    training, tests = (_images(made, split)[1] / 255.0 for split in ("train", "test"))
    flat, other = training.reshape(len(training), -1), tests.reshape(len(tests), -1)
    model = PCA(CODERS["conv_autoencoder"]["code_size"], svd_solver="full").fit(flat)
    kept = np.clip(model.inverse_transform(model.transform(other)), 0, 1)
    found = metrics["baseline"]
    assert found["components"] == CODERS["conv_autoencoder"]["code_size"]
    assert found["mse"] == pytest.approx(((kept - other) ** 2).mean(), rel=0.02)
    assert found["mean_picture"] == pytest.approx(((flat.mean(axis=0) - other) ** 2).mean(), rel=1e-3)
    assert found["difference"] == pytest.approx(found["mse"] - metrics["test"]["mse"], abs=2e-6)


def test_the_codes_of_every_sample_are_exported_with_its_id(made: Path) -> None:
    found = pd.read_parquet(made / layout.EVALUATE / "details" / "embeddings.parquet").set_index("id")
    predictor = Predictor(made / layout.BUNDLE)
    for split in ("train", "val", "test"):
        names, images = _images(made, split)
        codes = found.loc[names, [name for name in found if name.startswith("e:")]]
        np.testing.assert_allclose(codes, predictor.decode(images)[:, 1:], atol=1e-4)
        assert (found.loc[names, "split"] == split).all()
    samples = pd.read_parquet(made / layout.SPLIT / "samples.parquet").set_index("id")
    assert (found["label"] == samples.loc[found.index, "target"]).all()
    assert len(found) == len(samples)


def test_a_linear_model_reads_labels_from_codes_and_from_components(made: Path) -> None:
    probe = io.read_json(made / layout.EVALUATE / "metrics.json")["probe"]
    assert probe["features"] == CODERS["conv_autoencoder"]["code_size"]
    assert probe["trained_on"] == len(_images(made, "train")[0])
    assert (
        io.read_json(made / layout.EVALUATE / "metrics.json")["test"]["probe_accuracy"] == probe["accuracy"]
    )
    assert probe["difference"] == pytest.approx(probe["accuracy"] - probe["pca_accuracy"], abs=1e-5)
    low, high = probe["accuracy_interval"]
    assert low <= probe["accuracy"] <= high


def test_the_report_shows_reconstructions_codes_and_the_largest_errors(made: Path) -> None:
    page = (made / layout.EVALUATE / "report.html").read_text(encoding="utf-8")
    for heading in ("Reconstructions", "The codes", "As features", "Anomalies", "The largest errors"):
        assert f"<h2>{heading}</h2>" in page
    assert "principal components of the training split have a mean squared error" in page
    for name in ("reconstructions.png", "latent.png"):
        assert (made / layout.EVALUATE / "details" / name).stat().st_size > 1000
    card = (made / layout.BUNDLE / "model_card.md").read_text(encoding="utf-8")
    assert "An autoencoder" in card
    assert "principal components" in card
    assert set(pd.read_csv(made / layout.EVALUATE / "robustness.csv")["corruption"]) == {
        "noise",
        "blur",
        "jpeg",
        "brightness",
    }


def test_a_bundle_tells_the_anomaly_score_and_the_code_without_torch(made: Path) -> None:
    bundle = made / layout.BUNDLE
    predictor = Predictor(bundle)
    samples = golden.read(bundle)
    (answer, *_) = predictor.predict([sample["content"] for sample in samples])
    assert answer["prediction"] == answer["values"]["error"]
    assert len(answer["embedding"]) == CODERS["conv_autoencoder"]["code_size"]
    (strange,) = predictor.decode(np.full((1, toyline.SIDE, toyline.SIDE, 1), 255, np.uint8))
    assert predictor.output.served(strange)["anomalous"]
    assert predictor.output.cells(strange) == [strange[0], "yes"]
    threshold = io.read_json(bundle / "bundle.json")["anomaly"]["threshold"]
    table = pd.read_parquet(made / layout.EVALUATE / "predictions.parquet")
    errors = table.loc[table["split"] == "val", "error"]
    assert threshold == pytest.approx(np.quantile(errors, 0.99))
    sources = "".join(path.read_text() for path in (bundle / "code").glob("*.py"))
    assert "import torch" not in sources
    assert "from convoy" not in sources
    session = onnxruntime.InferenceSession(bundle / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].shape[1] == 1 + len(answer["embedding"]) + toyline.SIDE**2


def test_the_server_answers_as_its_schema_says(made: Path) -> None:
    predictor = Predictor(made / layout.BUNDLE)
    (row,) = predictor.decode(_images(made, "test")[1][:1])
    found = {
        "model": {"name": "toy", "version": "1", "digest": ""},
        "predictions": [{"file": "a.png", **predictor.output.served(row)}],
    }
    (answer,) = Answers.model_validate(found).predictions
    assert isinstance(answer, Restored)
    assert answer.values == {"error": row[0]}


def test_the_gate_compares_errors_on_the_same_pictures(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    config = load(made / "params.yaml")
    tests = scoring.current_tests(made / layout.SPLIT, config.data, made)
    scores = scoring.score(tests, made / layout.BUNDLE, made / layout.BUNDLE)
    assert scores.comparable().enough
    assert scores.compare("mse")["difference"] == 0.0
    metrics = io.read_json(made / layout.EVALUATE / "metrics.json")
    assert scores.measured("mse") == pytest.approx(metrics["test"]["mse"], rel=1e-3)
    object.__setattr__(scores, "rival", 1.5 * scores.rows)
    evidence = Evidence(metrics, 1.0, champion="1", scores=scores, comparison=scores.compare("mse"))
    better = judge(config.registration.gate, evidence)
    assert (better.status, better.rule) == ("champion", "better")
    worse = scores.__class__(**{**scores.__dict__, "rows": scores.rival, "rival": scores.rows})
    refused = judge(
        config.registration.gate,
        Evidence(metrics, 1.0, champion="1", scores=worse, comparison=worse.compare("mse")),
    )
    assert (refused.status, refused.rule) == ("refused", "not worse")


def test_models_of_other_sizes_are_not_compared(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    tests = scoring.current_tests(made / layout.SPLIT, load(made / "params.yaml").data, made)
    scores = scoring.score(tests, made / layout.BUNDLE, made / layout.BUNDLE)
    other = dict(scores.info[1])
    other["preprocessing"] = {
        **other["preprocessing"],
        "spec": {**other["preprocessing"]["spec"], "height": 8},
    }
    object.__setattr__(scores, "info", [scores.info[0], other])
    assert not scores.comparable().enough
    assert "8×16×1" in scores.comparable().said


def test_pictures_without_labels_are_enough(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toyline.write_spots(tmp_path / "data")
    document = params(repository, model=CODERS["autoencoder"], **sections("reconstruction", "none"))
    document["evaluate"]["baseline"] = "mean"
    document["register"]["model"] = "toy"
    monkeypatch.chdir(tmp_path)
    toyline.run(written(document, tmp_path))
    metrics = io.read_json(tmp_path / layout.EVALUATE / "metrics.json")
    assert "probe" not in metrics
    assert metrics["baseline"]["name"] == "mean"
    assert "label" not in pd.read_parquet(tmp_path / layout.EVALUATE / "details" / "embeddings.parquet")
    assert Predictor(tmp_path / layout.BUNDLE).output.noun == "label"
    config = load(tmp_path / "params.yaml")
    tests = scoring.current_tests(tmp_path / layout.SPLIT, config.data, tmp_path)
    scores = scoring.score(tests, tmp_path / layout.BUNDLE, None)
    assert scores.tested().enough
    assert scores.measured("mse") == pytest.approx(metrics["test"]["mse"], rel=1e-3)
