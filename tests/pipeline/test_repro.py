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
from convoy.pipeline import dag
from convoy.pipeline import repro as stages
from convoy.pipeline.repro import Outcome, failure_file, repro

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
      python -c "import json, pathlib; p = pathlib.Path('.convoy/failures/refuses.json');
      p.parent.mkdir(parents=True, exist_ok=True);
      p.write_text(json.dumps({'code': 3, 'message': 'error 3: bad data'})); raise SystemExit(3)"
    outs: [c.txt]
  dies:
    cmd: python -c "import os; os.kill(os.getpid(), 9)"
    outs: [d.txt]
  full:
    cmd: >-
      python -c "print('error 5: the disk is full'); print('  where: artifacts/x');
      print('  fix:   free some space'); raise SystemExit(5)"
    outs: [f.txt]
  writes:
    cmd: python -c "raise OSError(28, 'No space left on device')"
    outs: [g.txt]
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
    assert outcome == Outcome(ran=True, code=0, message="")
    assert "hello from the stage" in lines
    assert run(project, "good")[0] == Outcome(ran=False, code=0, message="")


def test_the_stages_own_exit_code_and_message_arrive(project: Path) -> None:
    assert run(project, "refuses")[0] == Outcome(ran=True, code=3, message="error 3: bad data")


def test_what_found_no_room_for_a_file_is_read_off_the_output(project: Path) -> None:
    block = "error 5: the disk is full\n  where: artifacts/x\n  fix:   free some space"
    assert run(project, "full")[0] == Outcome(ran=True, code=5, message=block)
    outcome = run(project, "writes")[0]
    assert outcome.code == 5
    assert outcome.message.startswith("error 5: the disk is full")


def test_a_stage_that_is_killed_has_no_code(project: Path) -> None:
    io.write_json(project / failure_file("dies"), {"code": 2, "message": "of an earlier run"})
    outcome, _ = run(project, "dies")
    assert outcome.code is None
    assert not outcome.ok


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
