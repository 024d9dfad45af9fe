import tracemalloc

import numpy as np
import pytest
from scipy import stats

from convoy.evaluation import intervals, metrics
from convoy.evaluation.intervals import Resampling
from tests.evaluation.toys import perfect, table

HOW = Resampling(resamples=100, confidence=0.95, seed=0)


def test_the_interval_has_the_width_that_theory_gives() -> None:
    data = metrics.scored(table(1000, ["a", "b"]))
    low, high = intervals.bootstrap(data, Resampling(2000, 0.95, 0))["accuracy"]
    p = metrics.summary(data)["accuracy"]
    assert low < p < high
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(p * (1 - p) / 1000), rel=0.1)


def test_the_interval_of_an_area_agrees_with_scipys_bootstrap() -> None:
    from sklearn.metrics import roc_auc_score

    data = metrics.scored(table(150, ["a", "b"], right=0.3))
    ours = intervals.bootstrap(data, Resampling(3000, 0.9, 0))["roc_auc"]
    theirs = stats.bootstrap(
        (data.target, data.probability[:, 1]), roc_auc_score, paired=True, vectorized=False,
        n_resamples=1000, confidence_level=0.9, method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.015)


def test_every_metric_lies_within_its_interval_and_every_one_has_one() -> None:
    data = metrics.scored(table(300, list("abcde")))
    found = intervals.bootstrap(data, Resampling(500, 0.99, 3))
    values = metrics.summary(data)
    assert set(found) == set(values) - {"samples"}
    assert all(low <= values[name] <= high for name, (low, high) in found.items() if name != "ece")


def test_the_same_seed_gives_the_same_intervals_and_another_one_others() -> None:
    data = metrics.scored(table(60, ["a", "b", "c"]))
    first, again = (intervals.bootstrap(data, HOW) for _ in range(2))
    assert first == again
    assert first != intervals.bootstrap(data, Resampling(100, 0.95, 1))


def test_a_perfect_model_has_an_interval_of_no_width() -> None:
    found = intervals.bootstrap(metrics.scored(perfect(table(40, ["a", "b"]))), HOW)
    assert found["accuracy"] == [1, 1]
    assert found["roc_auc"] == [1, 1]
    assert found["log_loss"] == [0, 0]


def test_resamples_without_the_only_sample_of_a_class_leave_its_area_out() -> None:
    frame = table(20, ["a", "b"])
    frame = frame[(frame["target"] == "a") | (frame.index == frame.index[frame["target"] == "b"][0])]
    found = intervals.bootstrap(metrics.scored(frame), HOW)
    assert np.isfinite(found["roc_auc"]).all()


def test_one_class_alone_has_no_interval_of_an_area() -> None:
    frame = table(20, ["a", "b"]).query("target == 'a'")
    assert "roc_auc" not in intervals.bootstrap(metrics.scored(frame), HOW)


def test_a_thousand_classes_take_no_matrix_of_classes_for_each_resample() -> None:
    data = metrics.scored(table(2000, [f"c{n}" for n in range(1000)]))
    tracemalloc.start()
    found = intervals.bootstrap(data, Resampling(200, 0.95, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["accuracy"][0] < found["accuracy"][1]
    assert peak < 200e6  # 200 matrices of 1000 × 1000 would be 1.6 GB


def test_areas_that_would_take_minutes_come_from_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    data = metrics.scored(table(60, ["a", "b", "c"], right=0.3))
    whole = intervals.bootstrap(data, Resampling(500, 0.95, 0))
    monkeypatch.setattr(intervals, "_AREA_WORK", 1)
    fewer = intervals.bootstrap(data, Resampling(500, 0.95, 0))
    assert fewer["accuracy"] == whole["accuracy"]
    assert fewer["roc_auc"] == intervals.bootstrap(data, HOW)["roc_auc"]
    assert fewer["roc_auc"] != whole["roc_auc"]


def test_every_resample_draws_as_many_samples_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_BATCH_ENTRIES", 70)
    parts = list(intervals.draws(10, 25, 0))
    assert [part.shape[1] for part in parts] == [7, 7, 7, 4]
    assert all((part.sum(axis=0) == 10).all() for part in parts)


def test_the_paired_interval_agrees_with_scipys_bootstrap_of_the_differences() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(400) < 0.9, random.random(400) < 0.8
    difference, interval = intervals.paired_accuracy(first, second, Resampling(5000, 0.95, 0))
    theirs = stats.bootstrap(
        (first.astype(float) - second,), np.mean, n_resamples=5000, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert difference == pytest.approx(first.mean() - second.mean())
    assert interval == pytest.approx([theirs.low, theirs.high], abs=0.006)


def test_two_equal_models_differ_by_nothing() -> None:
    right = np.array([True, False, True])
    assert intervals.paired_accuracy(right, right, HOW) == (0.0, [0.0, 0.0])


@pytest.mark.parametrize(("right", "samples"), [(0, 5), (5, 5), (37, 50), (1, 1)])
def test_wilsons_interval_agrees_with_scipy(right: int, samples: int) -> None:
    low, high = intervals.wilson(np.array([right]), np.array([samples]), 0.9)
    theirs = stats.binomtest(right, samples).proportion_ci(0.9, method="wilson")
    assert [low[0], high[0]] == pytest.approx([theirs.low, theirs.high], abs=1e-9)
