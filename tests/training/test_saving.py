"""Signals end a training behind a checkpoint, within seconds; the next run goes on in the same epoch."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from convoy.io import sha256_tree
from convoy.training import checkpoints
from convoy.training.journal import read
from convoy.training.learner import Learner
from convoy.training.resume import Position, recover
from tests.stages.test_train import Run, run  # noqa: F401  # a fixture
from tests.training.killing import Training, write_data


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_training_behind_a_checkpoint_and_the_next_run_ends_in_the_same_bytes(
    number: signal.Signals, tmp_path: Path
) -> None:
    write_data(tmp_path)
    long = {"epochs": 30, "early_stopping": None, "checkpoint_minutes": None}
    whole = Training(tmp_path, tmp_path / "whole", **long)
    assert whole.end() == 0
    training = Training(tmp_path, tmp_path / "ended", **long)
    while not any("metrics" in f.read_text() for f in training.place.glob("state/runs/*/journal.jsonl")):
        assert training.end(0.01) is None
    training.signal(number)
    begun = time.monotonic()
    assert training.end() == 128 + number
    assert time.monotonic() - begun < 20
    [journal] = training.place.glob("state/runs/*/journal.jsonl")
    assert list(read(journal))[-1]["status"] == "KILLED"
    [folder] = training.place.glob("state/checkpoints/*")
    kept = checkpoints.read(checkpoints.last_path(folder))
    assert kept["global_step"] >= 4
    assert Training(tmp_path, training.place, **long).end() == 0
    assert sha256_tree(training.place / "out") == sha256_tree(whole.place / "out")


def test_the_step_in_which_a_signal_comes_is_the_last_and_is_kept(
    run: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = sha256_tree(run("whole") / "out")
    original, taken = Learner.training_step, 0

    def told(self: Learner, *args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *args)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(Learner, "training_step", told)
        run("ended")
    assert ended.value.code == 128 + signal.SIGTERM
    assert taken == 6
    assert signal.getsignal(signal.SIGTERM) is before
    [folder] = (tmp_path / "ended" / "state" / "checkpoints").iterdir()
    assert recover(folder, pytest.fail) == Position(epochs=1, within=True, steps=6, best_epoch=0)
    assert sha256_tree(run("ended") / "out") == whole
