import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

from convoy.evaluation import metrics


def table(count: int, classes: list[str], seed: int = 0, right: float = 0.8) -> pd.DataFrame:
    """Random predictions that are right with that probability."""
    random = np.random.default_rng(seed)
    target = random.integers(0, len(classes), count)
    logits = random.normal(size=(count, len(classes)))
    logits[np.arange(count), target] += np.where(random.random(count) < right, 4.0, 0.0)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.asarray(classes, dtype=object)
    frame = pd.DataFrame({"target": names[target], "prediction": names[p.argmax(axis=1)]})
    frame["loss"] = -np.log(p[np.arange(count), target])
    return frame.assign(**{f"p:{name}": p[:, n] for n, name in enumerate(classes)})


def test_the_summary_agrees_with_scikit_learn() -> None:
    frame = table(400, ["a", "b", "猫"])
    ours = metrics.summary(metrics.scored(frame))
    pair = (frame["target"], frame["prediction"])
    assert ours["accuracy"] == pytest.approx(accuracy_score(*pair), abs=1e-6)
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = score(*pair, average="macro", zero_division=0.0)
        assert ours[f"macro_{name}"] == pytest.approx(expected, abs=1e-6)
    p = frame[["p:a", "p:b", "p:猫"]].to_numpy()
    assert ours["log_loss"] == pytest.approx(log_loss(frame["target"], p, labels=["a", "b", "猫"]), abs=1e-6)


def test_a_class_that_is_never_met_or_predicted_counts_as_zero() -> None:
    frame = table(50, ["a", "b"]).assign(**{"p:never": 0.0})
    report = metrics.per_class(metrics.scored(frame)).set_index("class")
    assert report.loc["never", "f1"] == 0.0
    assert report.loc["macro average", "support"] == 50


def test_the_interval_has_the_width_that_theory_gives() -> None:
    frame = table(1000, ["a", "b"], right=0.8)
    data = metrics.scored(frame)
    low, high = metrics.intervals(data, resamples=2000, confidence=0.95, seed=0)["accuracy"]
    p = metrics.summary(data)["accuracy"]
    assert low < p < high
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(p * (1 - p) / 1000), rel=0.1)


def test_intervals_are_the_same_for_the_same_seed_and_cover_every_metric() -> None:
    data = metrics.scored(table(60, ["a", "b", "c"]))
    first, again = (metrics.intervals(data, resamples=100, confidence=0.9, seed=3) for _ in range(2))
    assert first == again
    assert set(first) == set(metrics.METRICS)


def test_a_perfect_model_has_an_interval_of_no_width() -> None:
    frame = table(40, ["a", "b"]).assign(loss=0.0)
    frame["prediction"] = frame["target"]
    assert metrics.intervals(metrics.scored(frame), resamples=100, confidence=0.95, seed=0)["accuracy"] == [
        1,
        1,
    ]
