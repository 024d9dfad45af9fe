"""A message arrives whole, or costs the run a line in the log and a bounded wait."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from convoy import notify
from convoy.notify import sending
from tests.notify.conftest import SECRET
from tests.notify.robots import Robot, robot

Make = Callable[..., Path]
EVENT = notify.Event(
    "failed",
    "toy: the run failed: 图片“猫.png”损坏",
    "error 3: 1 of 48 samples is bad\n  where: data/raw/toy/猫.png",
    "http://127.0.0.1:4200/runs/flow-run/1",
    "convoy explain",
)


def log(root: Path) -> str:
    path = root / sending.LOG
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_title_reason_command_and_link_arrive_with_chinese_intact(project: Make, listener: Robot) -> None:
    root = project(listener.address(SECRET), events=["failed"])
    notify.send(root, EVENT)
    [(path, message)] = listener.messages
    assert path == f"/{SECRET}"
    assert message["title"] == "toy: the run failed: 图片“猫.png”损坏"
    assert message["message"].splitlines() == [
        "error 3: 1 of 48 samples is bad",
        "  where: data/raw/toy/猫.png",
        "try: convoy explain",
        "http://127.0.0.1:4200/runs/flow-run/1",
    ]
    assert message["type"] == "failure"
    assert log(root) == ""


@pytest.mark.parametrize(
    "section", [{}, {"events": []}, {"events": ["promoted"]}], ids=["none", "empty", "other"]
)
def test_what_the_parameters_do_not_name_is_not_told(
    project: Make, listener: Robot, section: dict[str, object]
) -> None:
    root = project(listener.address(), **section)
    notify.send(root, EVENT)
    assert listener.messages == []
    assert log(root) == ""


def test_without_a_section_nothing_heavy_is_imported(project: Make) -> None:
    root = project()
    script = (
        "import sys; from pathlib import Path; from convoy import notify\n"
        f"notify.send(Path({str(root)!r}), notify.Event('failed', 'x'))\n"
        "print([n for n in ('pydantic', 'ruamel', 'apprise', 'requests', 'prefect') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_a_sender_that_hangs_is_ended_and_the_others_are_told(project: Make, listener: Robot) -> None:
    with robot(hangs=True) as stuck:
        root = project(stuck.address(SECRET), listener.address(), events=["failed"], timeout_seconds=3.0)
        notify.send(root, EVENT)
        assert len(stuck.messages) == 1
        assert len(listener.messages) == 1
        [line] = log(root).splitlines()
        assert "json (1): no answer within 3 s" in line
        assert SECRET not in line
        children = psutil.Process().children(recursive=True)
        assert not [child for child in children if "deliver" in " ".join(child.cmdline())]


def test_a_refused_message_is_one_line_in_the_log(
    project: Make, listener: Robot, caplog: pytest.LogCaptureFixture
) -> None:
    listener.status = 500
    root = project(listener.address(SECRET), events=["failed"])
    notify.send(root, EVENT)
    [line] = log(root).splitlines()
    assert "JSON (1)" in line
    assert "error=500" in line
    [record] = caplog.records
    assert "error=500" in record.getMessage()
    assert SECRET not in line + caplog.text


def test_an_address_that_is_none_is_not_shown(project: Make) -> None:
    root = project(SECRET, f"dingtalk://{SECRET}!", f"nosuch://{SECRET}", events=["failed"])
    notify.send(root, EVENT)
    assert len(log(root).splitlines()) == 3
    assert SECRET not in log(root)


def test_events_without_an_address_are_said_to_reach_nobody(project: Make) -> None:
    root = project(events=["failed"])
    notify.send(root, EVENT)
    assert "nobody was told: CONVOY_NOTIFY_URLS is not set" in log(root)


def test_a_block_without_a_server_is_said(
    project: Make, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    root = project(listener.address(), events=["failed"], block="team-robots")
    notify.send(root, EVENT)
    assert len(listener.messages) == 1
    assert "the Prefect block 'team-robots' cannot be read" in log(root)


def test_nothing_that_goes_wrong_is_raised(
    project: Make, listener: Robot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = project(listener.address(), events=["failed"])
    with (root / "params.yaml").open("a") as file:
        file.write("nonsense: [\n")
    notify.send(root, EVENT)
    assert "ConfigError" in log(root)
    notify.send(tmp_path / "nowhere", EVENT)
    blocked = project(listener.address(), events=["failed"])
    listener.status = 500
    (blocked / ".convoy" / "logs" / "notify.log").unlink()
    (blocked / ".convoy" / "logs").rmdir()
    (blocked / ".convoy" / "logs").write_text("in the way")
    notify.send(blocked, EVENT)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    notify.send(blocked, EVENT)


def test_passwords_inside_of_links_are_left_out(project: Make, listener: Robot) -> None:
    root = project(listener.address(), events=["failed"])
    reason = f"cannot reach postgresql://mlflow:{SECRET}@db:5432/mlflow"
    notify.send(root, notify.Event("failed", "x", reason, f"https://me:{SECRET}@host/#/1"))
    [message] = listener.bodies
    assert message["message"] == "cannot reach postgresql://***@db:5432/mlflow\nhttps://***@host/#/1"


def test_the_sender_gets_no_address_in_its_command_line() -> None:
    """They go through a pipe; `ps` shows the command alone."""
    with robot(hangs=True) as stuck:
        script = (
            "from convoy import notify\nfrom convoy.config.notify import NotifyConfig\n"
            "from convoy.notify import sending\n"
            "sending.ask(NotifyConfig(timeout_seconds=30.0), notify.Event('failed', 'x'))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script], env={**os.environ, sending.ADDRESSES: stuck.address(SECRET)}
        )
        try:
            while not stuck.messages:
                assert process.poll() is None
            [child] = psutil.Process(process.pid).children()
            assert "convoy.notify.deliver" in child.cmdline()
            assert SECRET not in " ".join(child.cmdline())
        finally:
            for each in [*psutil.Process(process.pid).children(), process]:
                each.kill()
            process.wait(10)
