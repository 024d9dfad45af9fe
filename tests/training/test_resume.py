"""Damaged checkpoints are noticed and the one before is taken, aloud; the bytes at the end stay the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convoy.config.optimizer import SgdConfig
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import read_json, sha256_tree
from convoy.training import checkpoints, exactness
from convoy.training.interruption import Interruption
from convoy.training.journal import read
from convoy.training.learner import Learner
from convoy.training.resume import Position, recover
from tests.stages.test_train import Killed, Run, run  # noqa: F401  # a fixture
from tests.training import fitting

STEPS = 4  # of an epoch


Interrupt = Callable[..., Path]


@pytest.fixture
def interrupt(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Interrupt:  # noqa: F811
    """Train up to a step (from 0, over all epochs) with a checkpoint after each; the checkpoints' folder."""

    def go(name: str, step: int, **changes: Any) -> Path:
        taken = 0
        original = Learner.training_step

        def dying(self: Learner, *args: Any) -> Any:
            nonlocal taken
            if taken == step:
                raise Killed
            taken += 1
            return original(self, *args)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Learner, "training_step", dying)
            run(name, **{"checkpoint_minutes": 0.0, **changes})
        [folder] = (tmp_path / name / "state" / "checkpoints").iterdir()
        return folder

    return go


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # it may be a second name of another checkpoint
    path.write_bytes(content)


@pytest.mark.parametrize("step", [1, 6, 7, 8, 15])
def test_a_training_killed_within_an_epoch_goes_on_there_and_ends_in_the_same_bytes(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    step: int,
) -> None:
    whole = sha256_tree(run("whole", checkpoint_minutes=0.0) / "out")
    folder = interrupt("killed", step)
    # no checkpoint after an epoch's last step, but one after its validation
    assert recover(folder, pytest.fail).steps == step
    assert sha256_tree(run("killed", checkpoint_minutes=0.0) / "out") == whole


def test_how_often_checkpoints_are_taken_changes_nothing(run: Run) -> None:  # noqa: F811
    kept = [run(n, checkpoint_minutes=m) / "out" / "model.safetensors" for n, m in (("a", None), ("b", 0.0))]
    assert kept[0].read_bytes() == kept[1].read_bytes()


@pytest.mark.parametrize("step", [5, 8, 10])
def test_of_a_damaged_checkpoint_the_one_before_is_taken_aloud(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    step: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = sha256_tree(run("whole", checkpoint_minutes=0.0) / "out")
    folder = interrupt("killed", step)
    flip(checkpoints.last_path(folder))
    capsys.readouterr()
    assert sha256_tree(run("killed", checkpoint_minutes=0.0) / "out") == whole
    told = capsys.readouterr().out
    assert "the checkpoint last.ckpt is damaged" in told
    assert f"going on from previous.ckpt: epoch {(step - 1) // STEPS + 1}, after step {step - 1}" in told


@pytest.mark.parametrize("spoil", ["cut", "zeros", "gone"])
def test_a_journal_that_was_lost_is_made_whole_from_the_checkpoint(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    tmp_path: Path,
    spoil: str,
) -> None:
    whole = sha256_tree(run("whole", checkpoint_minutes=0.0) / "out")
    interrupt("killed", 2 * STEPS + 1)
    [journal] = (tmp_path / "killed" / "state" / "runs").glob("*/journal.jsonl")
    content = journal.read_bytes()
    cut = content.index(b"\n") + 20  # amid the first epoch
    if spoil == "gone":
        journal.unlink()
    else:
        journal.write_bytes(content[:cut] + (b"\0" * 500 if spoil == "zeros" else b""))
    assert sha256_tree(run("killed", checkpoint_minutes=0.0) / "out") == whole
    steps = [event["step"] for event in read(journal) if event["event"] == "metrics"]
    assert steps == list(range(4))


def test_when_all_are_damaged_training_begins_anew_aloud(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = sha256_tree(run("whole", checkpoint_minutes=0.0) / "out")
    folder = interrupt("killed", 6)
    flip(checkpoints.last_path(folder))
    flip(checkpoints.previous_path(folder))
    assert sha256_tree(run("killed", checkpoint_minutes=0.0) / "out") == whole
    assert "no whole checkpoint is left: training starts from the beginning" in capsys.readouterr().out


def test_without_the_best_epochs_weights_a_checkpoint_is_of_no_use(interrupt: Interrupt) -> None:
    folder = interrupt("killed", 2 * STEPS + 2)
    assert recover(folder, pytest.fail).best_epoch >= 0
    flip(checkpoints.best_path(folder))
    told: list[str] = []
    assert recover(folder, told.append) == Position()
    assert "needs the best epoch's weights" in told[0]


def test_the_best_weights_that_are_the_last_checkpoint_are_found_in_it(interrupt: Interrupt) -> None:
    folder = interrupt("killed", STEPS, checkpoint_minutes=None)
    checkpoints.best_path(folder).unlink()
    assert recover(folder, pytest.fail) == Position(epochs=1, steps=STEPS, best_epoch=0)
    assert checkpoints.read(checkpoints.best_path(folder))["epoch"] == 0


class Elsewhere:
    """The same training on a machine with another version of torch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("convoy.stages.train.torch.__version__", "9.9.9")


def test_in_another_environment_an_interrupted_training_asks_what_to_do(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt("killed", 6)
    Elsewhere(monkeypatch)
    with pytest.raises(ResourceError, match=r"interrupted in epoch 2, .*torch 2\.\S+ → 9\.9\.9") as caught:
        run("killed")
    assert "--allow-inexact-resume" in caught.value.fix
    assert caught.value.exit_code == 5


def test_an_inexact_resume_goes_on_in_the_same_run_and_is_recorded(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt("killed", 6)
    Elsewhere(monkeypatch)
    monkeypatch.setenv(exactness.RESUME, "inexact")
    place = run("killed")
    [change] = read_json(place / "out" / "training.json")["inexact_resume"]
    assert change["epoch"] == 1
    assert change["changed"]["torch"][1] == "9.9.9"
    [journal] = (place / "state" / "runs").glob("*/journal.jsonl")
    assert [event.get("step") for event in read(journal) if event["event"] == "metrics"] == [0, 1, 2, 3]


def test_a_restart_begins_anew(
    run: Run,  # noqa: F811
    interrupt: Interrupt,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt("killed", 6)
    Elsewhere(monkeypatch)
    monkeypatch.setenv(exactness.RESUME, "restart")
    record = read_json(run("killed") / "out" / "training.json")
    assert record["inexact_resume"] == []
    assert record["torch"] == "9.9.9"
    assert "training starts from the beginning" in capsys.readouterr().out


def test_a_finished_training_is_made_anew_in_another_environment_without_a_question(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("a")
    Elsewhere(monkeypatch)
    assert read_json(run("a") / "out" / "training.json")["torch"] == "9.9.9"


def test_how_batches_are_made_is_no_other_training(run: Run, interrupt: Interrupt) -> None:  # noqa: F811
    from convoy.config.engine import LoaderConfig

    whole = (run("whole") / "out" / "model.safetensors").read_bytes()
    interrupt("killed", 6)
    place = run("killed", loader=LoaderConfig(workers=0))
    assert len(list((place / "state" / "runs").iterdir())) == 1
    assert (place / "out" / "model.safetensors").read_bytes() == whole


def test_an_unknown_way_to_resume_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(exactness.RESUME, "maybe")
    with pytest.raises(ConfigError, match="none of exact, inexact, restart"):
        exactness.mode()


def test_weights_that_are_infinite_get_into_no_checkpoint(tmp_path: Path) -> None:
    """The loss of the step that ruined them was finite; a resumed training could only fail again."""
    with pytest.raises(IntegrityError, match="weights' norm is not finite"):
        fitting.run(tmp_path, optimizer=SgdConfig(name="sgd", lr=1e38), checkpoint_minutes=0.0)
    assert not list(tmp_path.rglob("last.ckpt"))


def test_a_signal_to_another_rank_does_not_hide_ones_own() -> None:
    interruption = Interruption()
    interruption.hear(15)
    for other in (0, 2):
        interruption.hear(other)
    assert interruption.number == 15
    assert interruption.seconds < 5
