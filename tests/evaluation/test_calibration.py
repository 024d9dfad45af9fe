import numpy as np
import pytest
from scipy import optimize, special

from convoy.evaluation import calibration


def logits(count: int, classes: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits `temperature` times those from which the targets are drawn, so that it is the right one."""
    random = np.random.default_rng(seed)
    true = random.normal(size=(count, classes)) * 2
    p = special.softmax(true, axis=1)
    target = (p.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return (true * temperature).astype(np.float32), target


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    values, target = logits(5000, 5, temperature)
    assert calibration.fit(values, target) == pytest.approx(temperature, rel=0.08)


def test_it_is_where_the_validation_loss_is_least() -> None:
    values, target = logits(1000, 4, 2.0)
    found = optimize.minimize_scalar(
        lambda t: calibration.nll(values / t, target), bounds=(0.05, 20), method="bounded"
    )
    assert calibration.fit(values, target) == pytest.approx(found.x, rel=0.01)


def test_a_perfect_validation_split_gives_a_moderate_temperature() -> None:
    target = np.arange(50) % 5
    values = np.eye(5, dtype=np.float32)[target] * 8
    temperature = calibration.fit(values, target)
    assert 0.2 < temperature < 1.0
    assert calibration.nll(values / temperature, target) < calibration.nll(values, target)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_one_wrong_sample_gives_a_finite_temperature_and_no_worse_loss(scale: float) -> None:
    values, target = np.array([[scale, 0.0]], np.float32), np.array([1])
    temperature = calibration.fit(values, target)
    assert calibration.BOUNDS[0] <= temperature <= calibration.BOUNDS[1]
    assert calibration.nll(values / temperature, target) <= calibration.nll(values, target)


def test_equal_logits_leave_the_temperature_at_one() -> None:
    assert calibration.fit(np.zeros((8, 3), np.float32), np.arange(8) % 3) == 1.0


def test_the_error_is_the_gap_between_confidence_and_accuracy() -> None:
    p = np.array([[0.9, 0.1]] * 10)
    assert calibration.ece(p, np.array([0] * 6 + [1] * 4)) == pytest.approx(0.3)
    assert calibration.ece(p, np.array([0] * 9 + [1])) == pytest.approx(0.0, abs=1e-12)


def test_gaps_in_two_bins_do_not_cancel() -> None:
    p = np.array([[0.6, 0.4]] * 10 + [[0.9, 0.1]] * 10)
    target = np.array([0] * 8 + [1] * 2 + [0] * 7 + [1] * 3)
    assert calibration.ece(p, target) == pytest.approx(0.2)
    assert calibration.ece(p, target, bins=1) == pytest.approx(0.0, abs=1e-12)


def test_the_reliability_table_holds_every_sample_once() -> None:
    values, target = logits(400, 3, 2.0)
    p = special.softmax(values, axis=1)
    table = calibration.reliability(p, target)
    assert table["count"].sum() == 400
    assert (table["confidence"].diff().dropna() > 0).all()
    gaps = (table["count"] * (table["accuracy"] - table["confidence"]).abs()).sum() / 400
    assert gaps == pytest.approx(calibration.ece(p, target), abs=1e-5)


def test_certain_answers_are_in_the_last_bin() -> None:
    table = calibration.reliability(np.array([[1.0, 0.0]]), np.array([0]))
    assert table.to_dict("records") == [{"bin": 15, "confidence": 1.0, "accuracy": 1.0, "count": 1}]


def test_calibration_lowers_loss_and_error_of_an_overconfident_model() -> None:
    values, target = logits(4000, 4, 3.0)
    before = {"val": special.softmax(values, axis=1).astype(np.float32)}
    temperature = calibration.fit(values, target)
    after = {"val": special.softmax(values / temperature, axis=1).astype(np.float32)}
    facts, table = calibration.comparison(before, after, {"val": target})
    assert facts["val"]["log_loss_after"] < facts["val"]["log_loss_before"]
    assert facts["val"]["ece_after"] < facts["val"]["ece_before"] / 3
    assert list(table.columns) == ["split", "stage", "bin", "confidence", "accuracy", "count"]
    assert set(table["stage"]) == {"before", "after"}


def test_a_threshold_has_the_best_f1_of_all() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    random = np.random.default_rng(0)
    target = random.integers(0, 2, 200)
    score = np.clip(target * 0.3 + random.random(200) * 0.7, 0, 1)
    found = calibration.thresholds(np.stack([1 - score, score], axis=1), target, ["a", "b"])["b"]
    candidates = [f1_score(target, score >= t) for t in np.unique(score)]
    assert found["f1"] == pytest.approx(max(candidates), abs=1e-6)
    chosen = score >= found["threshold"]
    assert found["precision"] == pytest.approx(precision_score(target, chosen), abs=1e-6)
    assert found["recall"] == pytest.approx(recall_score(target, chosen), abs=1e-6)


def test_a_threshold_lies_in_the_middle_of_the_gap() -> None:
    p = np.array([[0.1, 0.9], [0.3, 0.7], [0.9, 0.1]])
    assert calibration.thresholds(p, np.array([1, 1, 0]), ["a", "b"])["b"]["threshold"] == 0.4


def test_equal_probabilities_are_not_parted() -> None:
    p = np.array([[0.5, 0.5]] * 4)
    found = calibration.thresholds(p, np.array([1, 0, 1, 0]), ["a", "b"])["b"]
    assert (found["recall"], found["precision"]) == (1.0, 0.5)


def test_a_class_without_samples_has_a_threshold_of_a_half() -> None:
    p = np.array([[0.5, 0.4, 0.1]] * 3)
    found = calibration.thresholds(p, np.array([0, 1, 0]), ["a", "b", "c"])["c"]
    assert found == {"threshold": 0.5, "precision": 0.0, "recall": 0.0, "f1": 0.0}
