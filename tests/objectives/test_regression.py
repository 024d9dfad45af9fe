"""Points and values from the table to the bundle, through all stages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy import io, layout
from convoy.bundle import golden
from convoy.config.load import load
from convoy.data.store import Store
from convoy.gate import scoring
from convoy.gate.rules import Evidence
from convoy.gate.verdict import judge
from convoy.serving.predictor import Predictor
from tests.objectives import toyline
from tests.objectives.test_contract import sections
from tests.objectives.toyline import params, written


def _made(task: str, repository: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toyline.write_spots(root / "data")
    document = params(repository, model={"name": "lenet5"}, **sections("regression", task))
    document["evaluate"]["baseline"] = "mean"
    document["train"]["epochs"] = 6
    document["register"]["model"] = "toy"
    if task == "keypoints":
        document["data"]["group_col"] = "person"
    monkeypatch.chdir(root)
    toyline.run(written(document, root))
    return root


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return _made("keypoints", repository, tmp_path_factory.mktemp("points"), patch)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return _made("values", repository, tmp_path_factory.mktemp("values"), patch)


def test_targets_are_standardised_by_the_training_split_alone(points: Path) -> None:
    preprocessor = io.read_json(points / layout.PREPARE / "preprocessor.json")
    found = Store.open(points / layout.PREPARE / "train").keypoints
    assert found is not None
    xy = found[:, :, :2].reshape(len(found), -1)
    np.testing.assert_allclose(preprocessor["target"]["mean"], xy.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(preprocessor["target"]["std"], xy.std(axis=0), rtol=1e-5)
    assert preprocessor["classes"] == ["l.x", "l.y", "r.x", "r.y"]
    assert preprocessor["mirror"] == [1, 0]
    assert preprocessor["distance"] == [0, 1]


def test_nme_is_the_mean_distance_in_the_distance_of_the_two_points(points: Path) -> None:
    table = pd.read_parquet(points / layout.EVALUATE / "predictions.parquet")
    target, said = (
        table[[f"{kind}:{name}" for name in ("l.x", "l.y", "r.x", "r.y")]].to_numpy(float).reshape(-1, 2, 2)
        for kind in "ty"
    )
    length = np.linalg.norm(target[:, 0] - target[:, 1], axis=1)
    expected = np.linalg.norm(said - target, axis=2).mean(axis=1) / length
    np.testing.assert_allclose(table["error"], expected, rtol=1e-4)
    metrics = io.read_json(points / layout.EVALUATE / "metrics.json")
    tests = table["split"] == "test"
    assert metrics["test"]["nme"] == pytest.approx(expected[tests].mean(), rel=1e-4)
    low, high = metrics["intervals"]["nme"]
    assert low <= metrics["test"]["nme"] <= high
    assert metrics["baseline"]["difference"] == pytest.approx(
        metrics["baseline"]["nme"] - metrics["test"]["nme"], abs=1e-5
    )


def test_people_stay_on_one_side(points: Path) -> None:
    samples = pd.read_parquet(points / layout.SPLIT / "samples.parquet")
    assert (samples.groupby("group")["split"].nunique() == 1).all()


def test_a_bundle_answers_in_pixels_and_shares_without_torch(points: Path) -> None:
    bundle = points / layout.BUNDLE
    predictor = Predictor(bundle)
    samples = golden.read(bundle)
    (answer, *_) = predictor.predict([sample["content"] for sample in samples])
    assert list(answer["values"]) == predictor.classes
    x, y = answer["points"]["l"]
    assert x == pytest.approx((answer["values"]["l.x"] + 0.5) / toyline.SIDE)
    assert y == pytest.approx((answer["values"]["l.y"] + 0.5) / toyline.SIDE)
    table = pd.read_parquet(points / layout.EVALUATE / "predictions.parquet").set_index("id")
    row = table.loc[samples[0]["id"]]
    for name, value in answer["values"].items():
        assert value == pytest.approx(row[f"y:{name}"], abs=1e-3)
    sources = "".join(path.read_text() for path in (bundle / "code").glob("*.py"))
    assert "import torch" not in sources
    assert "from convoy" not in sources


@pytest.mark.parametrize("task", ["points", "values"])
def test_the_report_and_the_card_tell_of_errors(task: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(task)
    page = (root / layout.EVALUATE / "report.html").read_text(encoding="utf-8")
    assert "Always answering with" in page
    assert "accuracy" not in page.lower()
    assert (root / layout.EVALUATE / "details" / "residuals.png").stat().st_size > 1000
    card = (root / layout.BUNDLE / "model_card.md").read_text(encoding="utf-8")
    assert "mean absolute error" in card
    robust = pd.read_csv(root / layout.EVALUATE / "robustness.csv")
    assert set(robust["corruption"]) == {
        "noise",
        "blur",
        "jpeg",
        "brightness",
    }  # what moves things is left out


def test_values_come_back_in_their_own_units(values: Path) -> None:
    table = pd.read_parquet(values / layout.EVALUATE / "predictions.parquet")
    assert table["t:light"].between(8, 25).all()
    assert table["y:light"].between(0, 35).all()
    metrics = io.read_json(values / layout.EVALUATE / "metrics.json")["test"]
    tests = table[table["split"] == "test"]
    assert metrics["mae"] == pytest.approx((tests["y:light"] - tests["t:light"]).abs().mean(), rel=1e-4)
    residual = ((tests["y:light"] - tests["t:light"]) ** 2).sum()
    spread = ((tests["t:light"] - tests["t:light"].mean()) ** 2).sum()
    assert metrics["r2"] == pytest.approx(1 - residual / spread, abs=1e-4)
    assert "nme" not in metrics


def _evidence(root: Path, scores: Any, metric: str) -> Evidence:
    metrics = io.read_json(root / layout.EVALUATE / "metrics.json")
    comparison = scores.compare(metric)
    return Evidence(metrics, 1.0, champion="1", scores=scores, comparison=comparison)


@pytest.mark.parametrize(("task", "metric"), [("points", "nme"), ("values", "mae")])
def test_the_gate_knows_that_a_smaller_error_is_better(
    task: str, metric: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    root: Path = request.getfixturevalue(task)
    monkeypatch.chdir(root)
    config = load(root / "params.yaml")
    tests = scoring.current_tests(root / layout.SPLIT, config.data, root)
    scores = scoring.score(tests, root / layout.BUNDLE, root / layout.BUNDLE)
    same = scores.compare(metric)
    assert same["difference"] == 0.0
    assert same["challenger"] == pytest.approx(
        io.read_json(root / layout.EVALUATE / "metrics.json")["test"][metric], rel=1e-3
    )
    object.__setattr__(scores, "rival", scores.rows + 0.5 * np.abs(scores.rows).mean())
    gate = config.registration.gate
    better = judge(gate, _evidence(root, scores, metric))
    assert (better.status, better.rule) == ("champion", "better")
    assert better.comparison["difference"] > 0
    assert better.comparison["challenger"] < better.comparison["champion"]
    worse = scores.__class__(**{**scores.__dict__, "rows": scores.rival, "rival": scores.rows})
    refused = judge(gate, _evidence(root, worse, metric))
    assert refused.status == "refused"
    assert refused.rule in ("minimum", "not worse")


def test_an_error_above_its_maximum_is_refused(values: Path) -> None:
    config = load(values / "params.yaml").registration.gate
    metrics = io.read_json(values / layout.EVALUATE / "metrics.json")
    verdict = judge(config.model_copy(update={"maximum": 1e-6}), Evidence(metrics, 1.0))
    assert (verdict.status, verdict.rule) == ("refused", "minimum")
    assert "above the maximum" in verdict.reason
