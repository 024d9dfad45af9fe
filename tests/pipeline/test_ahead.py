"""DVC commands of a run, and the process that they are forked from."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from convoy.pipeline import ahead, rwlock
from tests.pipeline import toyline

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is forked")

SECONDS = 60


BIN_FIRST = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    toyline.make(tmp_path / "project")
    yield tmp_path / "project"
    ahead.drop()


def run(project: Path, *arguments: str, **variables: str) -> tuple[int, str, bool]:
    """Exit code, output, and whether the command was forked."""
    with begun(project, *arguments, **variables) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        return process.wait(SECONDS), said, isinstance(process, ahead.Forked)


@contextmanager
def begun(project: Path, *arguments: str, **variables: str) -> Iterator[ahead.Process]:
    """A command; at the end, none of its group is left."""
    process = ahead.start(project, arguments, {**os.environ, "PATH": BIN_FIRST, **variables})
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def warm(project: Path) -> "subprocess.Popen[bytes]":
    return ahead._warm[project].process


def calls(project: Path, command: str, *, stage: str = "read") -> None:
    """Let a stage be another command."""
    text = (project / "dvc.yaml").read_text()
    before = next(line for line in text.splitlines() if f"python stage.py {stage}.txt" in line)
    (project / "dvc.yaml").write_text(text.replace(before, f"    cmd: {command}"))


def wait_for(process: ahead.Process, name: str) -> None:
    """Until a process below this one has the command line `name`."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
            if any(name in " ".join(child.cmdline()) for child in below):
                return
        time.sleep(0.02)
    raise AssertionError(f"{name} never ran")


def test_a_forked_command_does_what_any_other_does(project: Path, tmp_path: Path) -> None:
    other = toyline.copy(project, tmp_path / "other")
    ahead.begin(project)
    for stage in ("read", "scale"):
        code, said, forked = run(project, "repro", "--single-item", stage)
        assert (code, forked) == (0, True), said
        assert run(other, "repro", "--single-item", stage) == (0, said, False)
    assert (project / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


def test_a_forked_stage_is_the_command_that_dvc_was_to_run(project: Path, tmp_path: Path) -> None:
    calls(project, "convoy stage nobody")
    other = toyline.copy(project, tmp_path / "other")
    ahead.begin(project)
    code, said, forked = run(project, "repro", "--single-item", "read")
    assert forked
    assert code == 255
    assert "no stage is called 'nobody'" in said
    assert "exited with 2" in said
    assert run(other, "repro", "--single-item", "read") == (255, said, False)


def test_a_stage_is_forked_and_begins_no_python(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls(project, "convoy stage nobody")
    monkeypatch.setenv("PYTHONVERBOSE", "1")
    ahead.begin(project)
    code, said, forked = run(project, "repro", "--single-item", "read")
    assert (code, forked) == (255, True)
    assert "no stage is called 'nobody'" in said
    assert "import _frozen_importlib" not in said  # which a Python that begins would say


def test_a_stage_begins_anew_where_its_imports_might_not_be_what_they_were(project: Path) -> None:
    calls(project, "convoy stage nobody")
    ahead.begin(project)
    code, said, forked = run(project, "repro", "--single-item", "read", PYTHONVERBOSE="1")
    assert (code, forked) == (255, True)
    assert "import _frozen_importlib" in said
    assert "no stage is called 'nobody'" in said


def test_it_takes_the_environment_of_the_moment_it_is_needed(project: Path) -> None:
    calls(project, "echo $WHO; echo > read.txt")
    ahead.begin(project)
    code, said, _ = run(project, "repro", "--single-item", "read", WHO="me")
    assert code == 0
    assert "\nme\n" in said


def test_its_exit_code_is_dvcs(project: Path) -> None:
    ahead.begin(project)
    code, said, forked = run(project, "repro", "--single-item", "nobody")
    assert (code, forked) == (255, True)
    assert "nobody" in said


def test_commands_run_beside_each_other(project: Path) -> None:
    calls(project, "sleep 60", stage="beside")
    ahead.begin(project)
    with begun(project, "repro", "--single-item", "beside") as long:
        wait_for(long, "sleep 60")
        assert run(project, "repro", "--single-item", "read")[0] == 0
        assert long.poll() is None
        os.killpg(long.pid, signal.SIGKILL)
        assert long.wait(SECONDS) == -signal.SIGKILL
        assert long.poll() == -signal.SIGKILL


def test_a_command_that_takes_longer_is_waited_for_again(project: Path) -> None:
    calls(project, "sleep 60")
    ahead.begin(project)
    with begun(project, "repro", "--single-item", "read") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(SECONDS) == -signal.SIGTERM


def test_several_threads_may_wait_for_a_command(project: Path) -> None:
    """As when a run is ended: the thread of its task waits, and the one that ends it."""
    calls(project, "sleep 60")
    ahead.begin(project)
    with begun(project, "repro", "--single-item", "read") as process, ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(process.wait, SECONDS) for _ in range(8)]
        wait_for(process, "sleep 60")
        os.killpg(process.pid, signal.SIGTERM)
        assert [each.result() for each in waits] == [-signal.SIGTERM] * 8
        assert process.poll() == -signal.SIGTERM


def test_it_is_a_dvc_command_once_it_works_and_none_while_nothing_is_wanted(project: Path) -> None:
    calls(project, "sleep 60")
    ahead.begin(project)
    assert rwlock._dvc_commands(project) == []
    with begun(project, "repro", "--single-item", "read") as process:
        wait_for(process, "sleep 60")
        assert rwlock._dvc_commands(project) == [process.pid]
        shown = " ".join(psutil.Process(process.pid).cmdline())
        assert shown.strip() == "dvc repro --single-item read"


def test_a_command_outlives_what_it_was_forked_from(project: Path) -> None:
    calls(project, "until test -e go; do sleep 0.1; done; echo > read.txt")
    ahead.begin(project)
    with begun(project, "repro", "--single-item", "read") as process:
        wait_for(process, "sleep 0.1")
        warm(project).kill()
        warm(project).wait()
        (project / "go").touch()
        assert process.wait(SECONDS) == 0
    assert run(project, "repro", "--single-item", "scale")[::2] == (0, False)


def test_one_that_was_killed_meanwhile_is_replaced(project: Path) -> None:
    ahead.begin(project)
    before = warm(project)
    before.kill()
    before.wait()
    ahead.begin(project)
    assert warm(project).pid != before.pid
    assert run(project, "repro", "--single-item", "read")[::2] == (0, True)


def test_it_ends_with_the_process_that_began_it(project: Path) -> None:
    text = (
        "import os, sys; from pathlib import Path; from convoy.pipeline import ahead;"
        "root = Path(sys.argv[1]); ahead.begin(root); print(ahead._warm[root].process.pid, flush=True);"
        "os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(project)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 9, done.stderr
    pid = int(done.stdout)
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(SECONDS)
    assert not psutil.pid_exists(pid)


def test_what_is_dropped_is_gone(project: Path) -> None:
    ahead.begin(project)
    before = warm(project)
    ahead.drop()
    assert before.poll() is not None
    assert run(project, "repro", "--single-item", "read")[::2] == (0, False)
