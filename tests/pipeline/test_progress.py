from typing import Any

import pytest

from convoy.pipeline.progress import EpochArtifact

LINE = "epoch {}/4  train_loss 0.5000  val_loss 0.4000  1.0 s  900 samples/s"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def create(progress: float, key: str, description: str) -> str:
        calls.append(("create", progress, key, description))
        return "id"

    monkeypatch.setattr("prefect.artifacts.create_progress_artifact", create)
    monkeypatch.setattr("prefect.artifacts.update_progress_artifact", lambda *of: calls.append(of))
    return calls


def test_each_epochs_line_moves_the_artifact_and_a_good_end_fills_it(told: list[Any]) -> None:
    artifact = EpochArtifact()
    for text in ("Running stage 'train':", LINE.format(" 1"), LINE.format(" 2"), "Updating lock file"):
        artifact.line(text)
    artifact.end()
    assert [(call[0], call[1]) for call in told] == [("create", 25.0), ("id", 50.0), ("id", 100.0)]
    assert told[0][3].startswith("epoch 1 of 4: train_loss 0.5000")


def test_a_stage_without_epochs_has_no_artifact(told: list[Any]) -> None:
    artifact = EpochArtifact()
    artifact.line("4000 samples")
    artifact.end()
    assert told == []


def test_a_server_that_is_away_is_asked_once_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def away(progress: float, *_: Any) -> None:
        asked.append(progress)
        raise ConnectionError("refused")

    monkeypatch.setattr("prefect.artifacts.create_progress_artifact", away)
    artifact = EpochArtifact()
    for number in (1, 2, 3):
        artifact.line(LINE.format(number))
    artifact.end()
    assert asked == [25.0]
