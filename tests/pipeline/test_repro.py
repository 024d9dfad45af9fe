"""Stages of a toy dvc.yaml run by real DVC."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from convoy import io
from convoy.pipeline import causes, dag
from convoy.pipeline import repro as stages
from convoy.pipeline.repro import FAILURE, Outcome, repro
from tests.pipeline.leasing import until

STAGES = """
stages:
  good:
    cmd: python -c "print('hello from the stage'); open('a.txt', 'w').write('a')"
    outs: [a.txt]
  after:
    cmd: python -c "open('b.txt', 'w').write(open('a.txt').read())"
    deps: [a.txt]
    outs: [b.txt]
  refuses:
    cmd: >-
      python -c "import json, os, pathlib; p = pathlib.Path(os.environ['CONVOY_FAILURE']);
      p.parent.mkdir(parents=True, exist_ok=True);
      p.write_text(json.dumps({'code': 3, 'message': 'error 3: bad data'})); raise SystemExit(3)"
    outs: [c.txt]
  dies:
    cmd: python -c "import os; os.kill(os.getpid(), 9)"
    outs: [d.txt]
  breaks:
    cmd: python -c "1 / 0"
    outs: [f.txt]
  slow:
    cmd: >-
      python -c "import pathlib, time; pathlib.Path('begun').touch();
      [time.sleep(0.05) for _ in iter(pathlib.Path('go').exists, True)]; pathlib.Path('g.txt').touch()"
    outs: [g.txt]
  full:
    cmd: >-
      python -c "print('error 5: the disk is full'); print('  where: artifacts/x');
      print('  fix:   free some space'); raise SystemExit(5)"
    outs: [h.txt]
  writes:
    cmd: python -c "raise OSError(28, 'No space left on device')"
    outs: [i.txt]
  hangs:
    cmd: python -c "import os, time; open('hangs.pid', 'w').write(str(os.getpid())); time.sleep(600)"
    outs: [e.txt]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(STAGES)
    command = [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def run(project: Path, stage: str, timeout: float = 60) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    return repro(project, stage, timeout=timeout, line=lines.append), lines


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_a_stage_runs_once_and_is_skipped_then(project: Path) -> None:
    outcome, lines = run(project, "good")
    assert outcome == Outcome(ran=True, code=0)
    assert "hello from the stage" in lines
    assert run(project, "good")[0] == Outcome(ran=False, code=0)


def test_the_stages_own_exit_code_and_message_arrive(project: Path) -> None:
    assert run(project, "refuses")[0] == Outcome(ran=True, code=3, message="error 3: bad data")


def test_what_found_no_room_for_a_file_is_read_off_the_output(project: Path) -> None:
    block = "error 5: the disk is full\n  where: artifacts/x\n  fix:   free some space"
    assert run(project, "full")[0] == Outcome(ran=True, code=5, message=block)
    outcome = run(project, "writes")[0]
    assert outcome.code == 5
    assert outcome.message.startswith("error 5: the disk is full")


def test_a_stage_that_is_killed_has_no_code(project: Path) -> None:
    outcome, _ = run(project, "dies")
    assert (outcome.code, outcome.signal) == (None, signal.SIGKILL)
    assert causes.of(outcome).name == "killed"


def test_a_stage_with_an_error_of_its_own_says_its_last_lines(project: Path) -> None:
    outcome, _ = run(project, "breaks")
    assert (outcome.code, outcome.signal) == (None, 0)
    assert "exit code 1" in outcome.message
    assert "ZeroDivisionError: division by zero" in outcome.tail
    assert causes.of(outcome).name == "unexpected"
    assert not causes.of(outcome).retry


def test_an_error_of_dvc_is_told_in_its_words(project: Path) -> None:
    outcome, _ = run(project, "after")
    assert outcome.message.startswith("ERROR: failed to reproduce 'after'")
    assert "a.txt" in outcome.message
    assert causes.of(outcome).name == "DVC"


def test_the_error_of_another_dvc_at_the_same_stage_is_not_ones_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAILURE, str(project / "another"))
    io.write_json(project / "another", {"code": 3, "message": "of another run"})
    assert run(project, "dies")[0].code is None


def test_files_that_another_dvc_holds_are_waited_for(project: Path) -> None:
    """DVC by hand runs the same stage; this one says so, waits, and finds the work done."""
    other = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "--quiet", "slow"], cwd=project)
    try:
        until((project / "begun").exists)
        lines: list[str] = []

        def line(text: str) -> None:
            lines.append(text)
            if "waits for" in text:
                (project / "go").touch()

        outcome = repro(project, "slow", timeout=60, line=line)
    finally:
        (project / "go").touch()
        assert other.wait(60) == 0
    assert (outcome.ok, outcome.ran) == (True, False)
    assert any("waits for `" in text and f"({other.pid})" in text for text in lines), lines


def test_a_stage_that_takes_too_long_is_ended_with_all_its_processes(project: Path) -> None:
    outcome, _ = run(project, "hangs", timeout=6)
    assert outcome.code == 5
    assert "longer than 6 s" in outcome.message
    assert gone(int((project / "hangs.pid").read_text()))


def test_an_interrupted_caller_leaves_no_stage_behind(project: Path) -> None:
    def interrupt() -> None:
        while not (project / "hangs.pid").exists():
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    # a shell that starts a job in the background makes it ignore SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            run(project, "hangs")
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int((project / "hangs.pid").read_text()))


def test_the_graph_has_upstream_stages_first(project: Path) -> None:
    graph = dag.graph(project)
    assert graph["after"] == {"good"}
    assert list(graph).index("good") < list(graph).index("after")


def test_after_the_end_of_all_no_stage_is_started(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_ended", threading.Event())
    assert not stages.ending()
    stages.end_all()
    assert stages.ending()
    outcome, _ = run(project, "good")
    assert (outcome.ran, outcome.code) == (False, None)
    assert not (project / "a.txt").exists()
