import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from convoy.evaluation import metrics
from tests.evaluation.toys import perfect, table

THREE = ["a", "b", "猫"]


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    return frame[[column for column in frame.columns if column.startswith("p:")]].to_numpy()


def summary(frame: pd.DataFrame) -> dict[str, float]:
    return metrics.summary(metrics.scored(frame))


def test_the_summary_agrees_with_scikit_learn() -> None:
    classes = list("abcde")
    frame = table(400, classes, right=0.5)
    ours, p = summary(frame), probabilities(frame)
    pair = (frame["target"], frame["prediction"])
    expected = {
        "accuracy": sk.accuracy_score(*pair),
        "balanced_accuracy": sk.balanced_accuracy_score(*pair),
        "macro_precision": sk.precision_score(*pair, average="macro", zero_division=0.0),
        "macro_recall": sk.recall_score(*pair, average="macro", zero_division=0.0),
        "macro_f1": sk.f1_score(*pair, average="macro", zero_division=0.0),
        "weighted_f1": sk.f1_score(*pair, average="weighted", zero_division=0.0),
        "mcc": sk.matthews_corrcoef(*pair),
        "top_3_accuracy": sk.top_k_accuracy_score(frame["target"], p, k=3, labels=classes),
        "roc_auc": sk.roc_auc_score(frame["target"], p, multi_class="ovr", average="macro"),
        "pr_auc": np.mean(
            [sk.average_precision_score(frame["target"] == c, frame[f"p:{c}"]) for c in classes]
        ),
        "log_loss": sk.log_loss(frame["target"], p, labels=classes),
        "brier": sk.brier_score_loss(frame["target"], p, labels=classes),
    }
    assert {name: ours[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert set(ours) == {*expected, "ece", "samples"}


def test_two_classes_have_the_binary_areas_and_the_halved_brier_score() -> None:
    frame = table(300, ["a", "b"], right=0.4)
    ours = summary(frame)
    positive = frame["target"] == "b"
    assert ours["roc_auc"] == pytest.approx(sk.roc_auc_score(positive, frame["p:b"]), abs=1e-6)
    assert ours["brier"] == pytest.approx(sk.brier_score_loss(positive, frame["p:b"]), abs=1e-6)
    assert "top_3_accuracy" not in ours


def test_ties_among_the_probabilities_count_as_scikit_learn_counts_them() -> None:
    frame = table(300, THREE, right=0.3)
    for column in ("p:a", "p:b", "p:猫"):
        frame[column] = frame[column].round(1)
    data = metrics.scored(frame)
    roc, pr = [], []
    for name in THREE:
        roc.append(sk.roc_auc_score(frame["target"] == name, frame[f"p:{name}"]))
        pr.append(sk.average_precision_score(frame["target"] == name, frame[f"p:{name}"]))
    ours = metrics.summary(data)
    assert ours["roc_auc"] == pytest.approx(np.mean(roc), abs=1e-6)
    assert ours["pr_auc"] == pytest.approx(np.mean(pr), abs=1e-6)


def test_weights_count_like_repeated_rows() -> None:
    frame = table(60, list("abcd"), right=0.4)
    counts = np.random.default_rng(1).integers(0, 4, 60)
    weighted = metrics.Weighted(metrics.scored(frame))
    found = {**weighted.sums(counts[:, None].astype(float)), **weighted.areas(counts[:, None].astype(float))}
    repeated = summary(frame.loc[np.repeat(np.arange(60), counts)])
    repeated.pop("samples")
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(repeated, abs=1e-6)


def test_the_calibration_error_is_that_of_calibration() -> None:
    from convoy.evaluation.calibration import ece

    frame = table(500, list("abcd"), right=0.5)
    data = metrics.scored(frame)
    assert metrics.summary(data)["ece"] == pytest.approx(ece(data.probability, data.target), abs=1e-6)


def test_the_report_agrees_with_scikit_learn() -> None:
    frame = table(200, THREE, right=0.5)
    ours = metrics.per_class(metrics.scored(frame)).set_index("class")
    pair = (frame["target"], frame["prediction"])
    theirs = sk.classification_report(*pair, output_dict=True, zero_division=0.0)
    for name, key in (*zip(THREE, THREE, strict=True), ("macro average", "macro avg")):
        for column, their in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert ours.loc[name, column] == pytest.approx(theirs[key][their], abs=1e-6)
        assert ours.loc[name, "support"] == theirs[key]["support"]
    for average in ("micro", "weighted"):
        expected = sk.precision_recall_fscore_support(*pair, average=average, zero_division=0.0)[:3]
        assert ours.loc[f"{average} average", ["precision", "recall", "f1"]].tolist() == pytest.approx(
            expected, abs=1e-6
        )


def test_a_class_that_is_never_met_or_predicted_counts_as_zero() -> None:
    frame = table(50, ["a", "b"]).assign(**{"p:never": 0.0})
    report = metrics.per_class(metrics.scored(frame)).set_index("class")
    assert report.loc["never", "f1"] == 0.0
    assert report.loc["macro average", "support"] == 50
    ours = summary(frame)
    assert ours["macro_recall"] == pytest.approx(ours["balanced_accuracy"] * 2 / 3, abs=1e-6)


def test_a_class_that_is_met_but_never_predicted_counts_as_zero() -> None:
    frame = table(90, THREE, right=1.0).assign(prediction="a")
    report = metrics.per_class(metrics.scored(frame)).set_index("class")
    assert report.loc["b", ["precision", "recall", "f1"]].tolist() == [0.0, 0.0, 0.0]
    assert summary(frame)["mcc"] == 0.0


def test_a_perfect_model_has_the_best_of_every_metric() -> None:
    ours = summary(perfect(table(40, list("abcd"))))
    worst_is_zero = {"log_loss", "brier", "ece"}
    assert {name: ours[name] for name in worst_is_zero} == dict.fromkeys(worst_is_zero, 0.0)
    others = set(ours) - worst_is_zero - {"samples"}
    assert {name: ours[name] for name in others} == dict.fromkeys(others, 1.0)


def test_what_one_class_alone_leaves_undefined_is_left_out() -> None:
    frame = table(30, ["a", "b"])
    ours = summary(frame[frame["target"] == "a"])
    assert "roc_auc" not in ours
    assert "pr_auc" not in ours
    assert all(np.isfinite(value) for value in ours.values())


def test_one_sample_of_a_class_is_enough() -> None:
    frame = pd.concat(
        [table(30, ["a", "b"]).query("target == 'a'"), table(9, ["a", "b"]).query("target == 'b'")[:1]]
    )
    ours = summary(frame)
    assert ours["roc_auc"] == pytest.approx(sk.roc_auc_score(frame["target"] == "b", frame["p:b"]), abs=1e-6)


def test_a_thousand_classes_are_summarised_and_reported() -> None:
    data = metrics.scored(table(3000, [f"c{n}" for n in range(1000)]))
    ours = metrics.summary(data)
    assert ours["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(*_occurring(data.target, data.prediction)), abs=1e-6
    )
    assert len(metrics.per_class(data)) == 1003


def _occurring(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of classes that do not occur become one wrong class, of which scikit-learn would warn."""
    known = np.isin(prediction, target)
    return target, np.where(
        known, prediction, np.where(target == target[0], target[target != target[0]][0], target[0])
    )


def test_the_confusion_matrix_has_targets_in_rows() -> None:
    frame = table(80, THREE, right=0.3)
    expected = sk.confusion_matrix(frame["target"], frame["prediction"], labels=THREE)
    assert (metrics.confusion(metrics.scored(frame)) == expected).all()
