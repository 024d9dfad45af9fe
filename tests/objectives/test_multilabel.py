"""Several labels from the table to the bundle, through all stages."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, hamming_loss

from convoy import io, layout
from convoy.bundle import golden
from convoy.config.load import load
from convoy.data.splits import iterative
from convoy.data.store import Store
from convoy.evaluation.labels import Answered, summary
from convoy.gate import scoring
from convoy.serving.predictor import Predictor
from tests.objectives import toyline
from tests.objectives.test_contract import sections
from tests.objectives.toyline import params, written

NAMES = ["left", "right", "top"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    root = tmp_path_factory.mktemp("labels")
    toyline.write_spots(root / "data", 140)
    document = params(repository, model={"name": "lenet5"}, **sections("multilabel", "labels"))
    document["evaluate"]["baseline"] = "mean"
    document["split"]["strategy"] = "iterative"
    document["augment"]["transforms"] = [{"name": "RandomBrightnessContrast", "p": 0.5}]
    document["train"]["epochs"] = 4
    document["register"]["model"] = "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        toyline.run(written(document, root))
    return root


def _tests(made: Path) -> pd.DataFrame:
    table = pd.read_parquet(made / layout.EVALUATE / "predictions.parquet")
    return table[table["split"] == "test"].reset_index(drop=True)


def _shown(column: "pd.Series[str]") -> np.ndarray:
    return np.array([[name in text.split(";") for name in NAMES] for text in column])


def test_the_stores_hold_what_the_table_says(made: Path) -> None:
    table = pd.read_csv(made / "data" / "table.csv").set_index("path")["sides"]
    samples = pd.read_parquet(made / layout.SPLIT / "samples.parquet").set_index("id")
    store = Store.open(made / layout.PREPARE / "train", verify=True)
    assert store.values is not None
    for identity, held in zip(store.id.tolist(), store.values, strict=True):
        wanted = table[samples.loc[identity.decode(), "path"]].split(";")
        assert [name in wanted for name in NAMES] == (held > 0.5).tolist()


def test_metrics_are_scikit_learns(made: Path) -> None:
    tests = _tests(made)
    target, said = _shown(tests["target"]), _shown(tests["prediction"])
    chance = tests[[f"p:{name}" for name in NAMES]].to_numpy()
    found = io.read_json(made / layout.EVALUATE / "metrics.json")["test"]
    assert found["macro_f1"] == pytest.approx(
        f1_score(target, said, average="macro", zero_division=0), abs=1e-5
    )
    assert found["micro_f1"] == pytest.approx(
        f1_score(target, said, average="micro", zero_division=0), abs=1e-5
    )
    assert found["mean_ap"] == pytest.approx(
        average_precision_score(target, chance, average="macro"), abs=1e-5
    )
    assert found["hamming_loss"] == pytest.approx(hamming_loss(target, said), abs=1e-5)
    assert found["subset_accuracy"] == pytest.approx((target == said).all(axis=1).mean(), abs=1e-5)


def test_a_label_is_said_from_its_threshold_on(made: Path) -> None:
    tests = _tests(made)
    thresholds = io.read_json(made / layout.BUNDLE / "bundle.json")["thresholds"]
    assert set(thresholds) == set(NAMES)
    for name in NAMES:
        expected = tests[f"p:{name}"] >= thresholds[name]
        assert (_shown(tests["prediction"])[:, NAMES.index(name)] == expected).all()


def test_a_bundle_answers_with_labels(made: Path) -> None:
    predictor = Predictor(made / layout.BUNDLE)
    samples = golden.read(made / layout.BUNDLE)
    (answer, *_) = predictor.predict([sample["content"] for sample in samples])
    row = _tests(made).set_index("id").loc[samples[0]["id"]]
    assert ";".join(answer["prediction"]) == row["prediction"]
    for name in NAMES:
        assert answer["probabilities"][name] == pytest.approx(row[f"p:{name}"], abs=1e-4)


def test_the_gate_measures_what_evaluation_measured(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    tests = scoring.current_tests(made / layout.SPLIT, load(made / "params.yaml").data, made)
    scores = scoring.score(tests, made / layout.BUNDLE, made / layout.BUNDLE)
    found = io.read_json(made / layout.EVALUATE / "metrics.json")["test"]
    for metric in ("macro_f1", "micro_f1", "mean_ap", "subset_accuracy"):
        compared = scores.compare(metric)
        assert compared["challenger"] == pytest.approx(found[metric], abs=1e-3)
        assert compared["difference"] == 0.0
        assert compared["interval"] == [0.0, 0.0]


def test_shares_of_rare_labels_come_out_as_asked_for() -> None:
    random = np.random.default_rng(0)
    held = (random.random((600, 4)) < [0.5, 0.2, 0.05, 0.03]).astype(np.int64)
    sides = iterative.assign(held, np.ones(600, np.int64), np.array([0.7, 0.1, 0.2]))
    for label in range(4):
        counts = np.bincount(sides[held[:, label] == 1], minlength=3)
        wanted = held[:, label].sum() * np.array([0.7, 0.1, 0.2])
        assert (np.abs(counts - wanted) <= 1.5 + 0.02 * wanted).all()
    assert (np.abs(np.bincount(sides) - [420, 60, 120]) <= 6).all()


def test_perfect_answers_are_perfect() -> None:
    target = np.array([[True, False], [False, True], [True, True]])
    found = summary(Answered(target, np.where(target, 0.9, 0.1), target))
    assert (found["macro_f1"], found["mean_ap"], found["subset_accuracy"], found["hamming_loss"]) == (
        1,
        1,
        1,
        0,
    )
