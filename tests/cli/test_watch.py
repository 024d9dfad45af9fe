"""A stage whose callers are gone ends itself."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from convoy.pipeline.repro import FLOW_PID

STAGE = """
import time
from convoy.cli.watch import end_with_callers
end_with_callers()
print("up", flush=True)
time.sleep(60)
"""


def ended(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_stage_ends_when_its_flow_was_killed() -> None:
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    environment = {FLOW_PID: str(flow.pid), "PATH": "/usr/bin:/bin"}
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert stage.stdout is not None
    assert stage.stdout.readline() == "up\n"
    flow.kill()
    flow.wait()
    assert stage.wait(10) == -15
    stage.stdout.close()


def test_a_stage_ends_when_dvc_was_killed(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    dvc = tmp_path / "dvc"
    dvc.write_text(
        "import subprocess, sys, time\n"
        f"command = [{sys.executable!r}, {str(tmp_path / 'stage.py')!r}]\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, str(dvc)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    stage = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    assert ended(stage)


def test_a_stage_started_by_hand_watches_nobody() -> None:
    stage = subprocess.Popen(
        [sys.executable, "-c", "from convoy.cli.watch import _callers; print(_callers())"],
        stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert stage.communicate()[0].strip() == "[]"
