"""DVC processes that are begun ahead."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from convoy.pipeline import ahead, dvc_command, rwlock
from tests.pipeline import toyline

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows their name")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    toyline.make(tmp_path / "project")
    yield tmp_path / "project"
    ahead.drop()


def run(project: Path, *arguments: str) -> tuple[int, str]:
    with ahead.start(project, arguments, {**os.environ, "WHO": "me"}) as process:
        said = process.communicate(timeout=60)[0]
    return process.returncode, said


def waiting(project: Path) -> ahead.Process | None:
    return ahead._waiting.get(project)


def test_it_does_what_one_that_was_not_begun_ahead_does(project: Path, tmp_path: Path) -> None:
    other = toyline.copy(project, tmp_path / "other")
    ahead.begin(project)
    begun = waiting(project)
    assert run(project, "repro", "--single-item", "read")[0] == 0
    assert begun is not None
    assert begun.returncode == 0
    assert waiting(project) is None
    assert run(other, "repro", "--single-item", "read")[0] == 0
    assert (project / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


def test_it_takes_the_environment_of_the_moment_it_is_needed(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(
        text.replace("cmd: python stage.py sum", "cmd: echo $WHO; python stage.py sum")
    )
    for stage in ("read", "scale"):
        run(project, "repro", "--single-item", stage)
    ahead.begin(project)
    code, said = run(project, "repro", "--single-item", "sum")
    assert code == 0
    assert "\nme\n" in said


def test_its_exit_code_is_dvcs(project: Path) -> None:
    ahead.begin(project)
    code, said = run(project, "repro", "--single-item", "nobody")
    assert code == 255
    assert "nobody" in said


def test_it_is_a_dvc_command_once_it_works_and_none_while_it_waits(project: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("cmd: python stage.py read.txt", "cmd: sleep 60; python"))
    ahead.begin(project)
    assert rwlock._dvc_commands(project) == []
    with ahead.start(project, ["repro", "--single-item", "read"], os.environ) as process:
        deadline = time.monotonic() + 60
        while not rwlock._dvc_commands(project) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.pid in rwlock._dvc_commands(project)
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()


def test_one_that_was_killed_meanwhile_is_replaced(project: Path) -> None:
    ahead.begin(project)
    begun = waiting(project)
    assert begun is not None
    begun.kill()
    begun.wait()
    assert run(project, "repro", "--single-item", "read")[0] == 0


def test_what_waits_ends_with_the_process_that_began_it(project: Path) -> None:
    text = (
        "import os, sys; from pathlib import Path; from convoy.pipeline import ahead;"
        "root = Path(sys.argv[1]); ahead.begin(root); print(ahead._waiting[root].pid, flush=True);"
        "os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(project)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 9, done.stderr
    pid = int(done.stdout)
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(30)
    assert not psutil.pid_exists(pid)


def test_what_is_dropped_is_gone(project: Path) -> None:
    ahead.begin(project)
    begun = waiting(project)
    assert begun is not None
    ahead.drop()
    assert begun.poll() is not None
    assert waiting(project) is None


def test_every_module_that_is_imported_ahead_is_there() -> None:
    """A new version of DVC may have them elsewhere, which costs time and tells nobody."""
    imports = "; ".join(f"import {name}" for name in dvc_command._USED)
    subprocess.run([sys.executable, "-c", imports], check=True, timeout=60)
