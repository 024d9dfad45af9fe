"""Every ending has a true explanation, and a second try is made only where it can help."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from convoy.cli.app import app
from convoy.cli.system_errors import as_convoy
from convoy.errors import ConfigError, ConvoyError, DataError, GateRefused, IntegrityError, ResourceError
from convoy.owners import Owner
from convoy.pipeline import causes, history, lease
from convoy.pipeline.causes import Ending
from convoy.pipeline.explaining import explain
from convoy.pipeline.history import Record
from convoy.registry import client
from convoy.training.journal import Journal


def error(raised: ConvoyError | OSError) -> Ending:
    known = as_convoy(raised)
    assert known is not None
    return Ending(code=known.exit_code, message=str(known))


def traceback(*lines: str) -> Ending:
    return Ending(code=None, message="stage train ended with an error (exit code 1)", tail=lines)


# an ending, the name of its cause, whether another try is worth it
ENDINGS = [
    (Ending(code=0), "done", False),
    (error(ConfigError("train.lr must be positive", fix="mend it")), "parameters", False),
    (error(DataError("3 of 20 samples are corrupt")), "data", False),
    (error(IntegrityError("the loss is not finite in epoch 2, step 7")), "not finite", False),
    (error(IntegrityError("model.onnx is not what was recorded")), "altered", False),
    (error(GateRefused("worse than the champion by 0.1")), "refused", False),
    (error(OSError(28, "No space left on device", "artifacts/x")), "disk full", False),
    (error(ResourceError("no GPU that torch can use")), "lacking", False),
    (error(client.unreachable("http://127.0.0.1:9", OSError("refused"))), "server away", True),
    (error(ResourceError("no answer: timed out", where="https://example.org")), "server away", True),
    (error(ResourceError("rank 1 of 2 was killed (SIGKILL)")), "helper killed", True),
    (
        error(
            ResourceError(
                "a training of these settings was interrupted in epoch 3, and cannot be resumed exactly here"
            )
        ),
        "not resumable here",
        False,
    ),
    (error(ResourceError("the project is taken by `convoy run` of lin")), "project taken", False),
    (Ending(code=5, message="error 5: stage train took longer than 9 s", late=True), "timeout", False),
    (Ending(code=None, signal=signal.SIGKILL), "killed", True),
    (Ending(code=None, signal=signal.SIGKILL, memory=True), "out of memory", True),
    (Ending(code=None, signal=signal.SIGTERM), "told to end", True),
    (Ending(code=None, signal=signal.SIGTERM, cancelled=True), "cancelled", False),
    (Ending(code=None, signal=signal.SIGKILL, restarted=True), "restart", False),
    (traceback("torch.OutOfMemoryError: CUDA out of memory. Tried"), "out of GPU memory", False),
    (traceback("MemoryError: Unable to allocate 9 GiB"), "out of memory", False),
    (traceback("Traceback", "KeyError: 'x'"), "unexpected", False),
    (Ending(code=None, message="ERROR: failed to reproduce 'x': missing data"), "DVC", False),
    (Ending(code=None, message="ConnectError: all connection attempts failed"), "server away", True),
]


@pytest.mark.parametrize(
    ("ending", "name", "retry"), ENDINGS, ids=[f"{n}-{e[1]}" for n, e in enumerate(ENDINGS)]
)
def test_an_ending_has_its_cause(ending: Ending, name: str, retry: bool) -> None:
    cause = causes.of(ending)
    assert (cause.name, cause.retry) == (name, retry)
    assert cause.what
    assert cause.fix or name == "done"


def test_every_cause_is_the_cause_of_some_ending() -> None:
    known = {cause.name for cause in causes.CAUSES}
    assert known - {name for _, name, _ in ENDINGS} == {"other process"}
    assert causes.of(error(ResourceError("another process wrote to the ledger of m"))).name == "other process"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setenv(history.RUN, "")
    (tmp_path / "params.yaml").touch()
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return history.begin(tmp_path, "convoy run")


def stage(record: Record, name: str, ending: Ending | None, attempt: int = 1) -> None:
    record.add("stage", stage=name, attempt=attempt)
    if ending is not None:
        record.add("stage end", stage=name, ran=True, **asdict(ending))


def gone() -> Owner:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    process.kill()
    process.communicate()
    return owner


def of_process(record: Record, owner: Owner) -> None:
    """As if another process had begun the run."""
    first, *rest = record.events()
    Journal(record.path).keep([{**first, **owner.record()}, *rest])


def test_a_run_that_ended_well(record: Record, tmp_path: Path) -> None:
    record.add("stage end", stage="ingest", ran=False, code=0)
    stage(record, "train", Ending(code=0))
    record.end(Ending(code=0))
    found = explain(tmp_path)
    assert (found.status, found.cause, found.stage) == ("done", "done", "")
    assert found.stages == {"ingest": "up to date", "train": "done"}
    assert found.ended is not None


def test_a_stage_that_failed_is_named_with_its_words_and_tries(record: Record, tmp_path: Path) -> None:
    failed = replace(
        error(DataError("3 samples are corrupt", fix="replace them")), tail=("a.png is no picture",)
    )
    stage(record, "ingest", Ending(code=0))
    stage(record, "validate", replace(failed, code=None, signal=9, message="killed"))
    stage(record, "validate", failed, attempt=2)
    record.end(failed)
    found = explain(tmp_path)
    assert (found.status, found.stage, found.attempts, found.cause) == ("failed", "validate", 2, "data")
    assert "3 samples are corrupt" in found.message
    assert found.lines == ("a.png is no picture",)


def test_an_unexpected_error_of_the_flow_is_that_of_its_stage(record: Record, tmp_path: Path) -> None:
    stage(record, "train", traceback("KeyError: 'x'"))
    record.end(Ending(code=None, message="StageFailed: train"))
    found = explain(tmp_path)
    assert (found.stage, found.lines) == ("train", ("KeyError: 'x'",))


def test_a_run_that_ended_its_stages_itself_says_why(record: Record, tmp_path: Path) -> None:
    stage(record, "prepare", Ending(code=None, signal=15, message="stage prepare was ended from outside"))
    record.end(Ending(code=None, signal=15))
    away = "error 5: the temporary Prefect server ended in the middle of the run (signal 9)"
    record.end(Ending(code=5, message=away))
    found = explain(tmp_path)
    assert (found.status, found.cause, found.stage) == ("failed", "server away", "prepare")
    assert found.message == away


def test_a_stage_that_was_not_begun_any_more_does_not_say_why(record: Record, tmp_path: Path) -> None:
    stage(record, "prepare", Ending(code=0))
    unbegun = Ending(code=None, message="stage augment was not started: the run is ending")
    record.add("stage", stage="augment", attempt=1)
    record.add("stage end", stage="augment", **asdict(unbegun), ran=False)
    record.end(Ending(code=None, signal=15))
    away = "error 5: the temporary Prefect server ended in the middle of the run (signal 9)"
    record.end(Ending(code=5, message=away))
    found = explain(tmp_path)
    assert (found.status, found.cause, found.message) == ("failed", "server away", away)


def test_a_refusal_is_no_failed_stage(record: Record, tmp_path: Path) -> None:
    stage(record, "package", Ending(code=0))
    record.end(error(GateRefused("worse by 0.1")))
    found = explain(tmp_path)
    assert (found.status, found.stage, found.cause) == ("refused", "", "refused")
    assert "worse by 0.1" in found.message


def test_a_run_that_goes_on_says_where_it_is_and_who_is_beside_it(record: Record, tmp_path: Path) -> None:
    stage(record, "train", None)
    training = Journal(tmp_path / ".convoy/runs/k1/journal.jsonl")
    training.append("start", key="k1", name="lenet5-k1", params={"epochs": 9}, datasets=[])
    training.append("metrics", step=0, values={})
    with lease.project(tmp_path, "convoy run"):
        found = explain(tmp_path)
    assert (found.status, found.stage, found.stages) == ("running", "train", {"train": "running"})
    assert found.training is not None
    assert (found.training.name, found.training.epochs, found.training.of) == ("lenet5-k1", 1, 9)
    assert any("`convoy run` of " in each for each in found.beside)


def test_a_run_that_left_no_word_was_killed(record: Record, tmp_path: Path) -> None:
    stage(record, "train", None)
    of_process(record, gone())
    found = explain(tmp_path)
    assert (found.status, found.cause, found.stage) == ("ended", "killed", "train")
    assert found.stages == {"train": "cut off"}


def test_a_run_before_the_machine_was_started_anew(record: Record, tmp_path: Path) -> None:
    of_process(record, replace(Owner.of(), boot="of another day"))
    assert explain(tmp_path).cause == "restart"


def test_a_run_of_another_machine_is_not_judged(record: Record, tmp_path: Path) -> None:
    of_process(record, replace(Owner.of(), host="another-host"))
    assert explain(tmp_path).status == "unknown"


def test_runs_are_found_by_their_names(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.add("flow", name="brave-owl", id="f00d", server="", **Owner.of().record())
    training = Journal(tmp_path / ".convoy/runs/k1/journal.jsonl")
    training.append("start", key="k1", name="lenet5-k1", params={}, datasets=[])
    record.end(Ending(code=0))
    later = Record(record.path.with_name("later.jsonl"))
    later.add("run", command="convoy run", user="lin", **{**Owner.of().record(), "t": time.time() + 500})
    later.end(Ending(code=0))
    assert explain(tmp_path).run == "later"
    for name in (record.id, "brave", "f00d", "lenet5-k1", "k1"):
        assert explain(tmp_path, name).run == record.id, name
    with pytest.raises(DataError, match="no run is called 'x'"):
        explain(tmp_path, "x")


def test_where_nothing_has_run_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run has begun"):
        explain(tmp_path)


def test_the_command_says_it_in_a_few_lines_and_in_json(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "x")  # so that what the command sets is taken back
    stage(record, "train", Ending(code=None, signal=9, message="stage train was ended", tail=("epoch 3/9",)))
    record.end(Ending(code=None, signal=9))
    told = CliRunner().invoke(app, ["explain"])
    assert told.exit_code == 0
    lines = {line[:6].strip(): line[8:] for line in told.stdout.splitlines()[1:]}
    assert lines["stage"] == "train"
    assert "SIGKILL" in lines["status"]
    assert "goes on from what is done" in lines["try"]
    found: dict[str, Any] = json.loads(CliRunner().invoke(app, ["explain", "--json"]).stdout)
    assert (found["stage"], found["cause"]) == ("train", "killed")


def test_a_full_disk_does_not_end_a_run_for_its_record(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file is in the way")
    Record(tmp_path / "history" / "x.jsonl").add("run")
