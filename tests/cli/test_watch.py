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
WRITING = """
import os, signal, time
from convoy.cli.watch import end_with_callers
from convoy.ending import heard
told = []
def note(number, frame):
    told.append(number)
    if len(told) == 1:
        heard.set()
        os.write(1, b"heard\\n")
signal.signal(signal.SIGTERM, note)
end_with_callers()
os.write(1, b"up\\n")
while not told:
    time.sleep(0.05)
end = time.monotonic() + 4
while time.monotonic() < end:
    time.sleep(0.05)
print(f"told {len(told)} times")
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


def test_a_stage_that_was_told_to_end_is_left_to_write_its_checkpoint() -> None:
    flow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    environment = {FLOW_PID: str(flow.pid), "PATH": "/usr/bin:/bin"}
    stage = subprocess.Popen(
        [sys.executable, "-c", WRITING], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert stage.stdout is not None
    assert stage.stdout.readline() == "up\n"
    stage.terminate()
    assert stage.stdout.readline() == "heard\n"
    flow.kill()
    flow.wait()
    assert stage.communicate(timeout=20)[0] == "told 1 times\n"


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
