from typing import Any

from convoy.registry import note

TRAINING: dict[str, Any] = {"key": "0123456789abcdef", "model": {"name": "lenet5"}, "best_epoch": None}


def test_the_note_points_to_the_report_and_tells_metrics_with_intervals() -> None:
    metrics = {"test": {"accuracy": 0.5, "ece": 0.02}, "val": {}, "intervals": {"accuracy": [0.4, 0.6]}}
    text = note.render(TRAINING, metrics, "run")
    assert "report.html" in text
    assert "| accuracy | **0.5000** | 0.4000 – 0.6000 |  |" in text
    assert "| ece | **0.0200** |  |  |" in text
    assert "baseline" not in text


def test_the_note_tells_by_how_much_the_baseline_is_beaten() -> None:
    baseline = {"name": "hog_linear", "accuracy": 0.9, "difference": -0.05, "interval": [-0.08, 0.01]}
    text = note.render(TRAINING, {"test": {"accuracy": 0.85}, "baseline": baseline}, "run")
    assert "Against the baseline `hog_linear` (0.9000): **-0.0500** [-0.0800, +0.0100]" in text


def test_a_baseline_that_is_only_the_majority_is_not_compared() -> None:
    assert "Against" not in note.render(TRAINING, {"test": {}, "baseline": {"majority_accuracy": 0.1}}, "run")
