"""What follows from a look: people are told when drift begins, and a run is started where that is wanted."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from convoy.monitor import watch
from convoy.monitor.verdict import Verdict
from convoy.notify import sending
from tests import toys
from tests.notify.robots import Robot
from tests.registry.fixtures import Command, Project


@pytest.fixture
def drifting(project: Project, convoy: Command, tmp_path: Path) -> Project:
    """Dark pictures were predicted; people are to be told."""
    settings = "notify: {events: [drifted]}\nmonitor: {min_samples: 30, retrain_hours: 24.0}\n"
    project.change("tracking:", f"{settings}tracking:")
    project.commit()
    convoy("register")
    write(tmp_path / "dark", dark=True)
    assert convoy("predict", str(tmp_path / "dark"), "--keep", "--json").error is None
    return project


def write(folder: Path, *, dark: bool = False, seed: int = 7) -> None:
    folder.mkdir()
    for number, pixels in enumerate(toys.images(60, seed=seed)):
        Image.fromarray(pixels[:, :, 0] // (3 if dark else 1)).save(folder / f"{number}.png")


def look(project: Project) -> tuple[Verdict, str]:
    return watch.look(project.root, project.config)


def follow(project: Project, verdict: Verdict) -> int | None:
    return watch.follow_up(project.root, project.config, verdict, "", lambda _: None)


def test_people_are_told_once_when_drift_begins(
    drifting: Project, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sending.ADDRESSES, listener.address())
    verdict, _ = look(drifting)
    assert verdict.status == "drifted"
    for _ in range(3):
        assert follow(drifting, verdict) is None
    [message] = listener.bodies
    assert message["title"] == "project: digits version 1 drifts"
    assert "brightness" in message["message"]
    assert ".convoy/monitor/report.html" in message["message"]
    assert "try: convoy monitor" in message["message"]
    assert message["type"] == "warning"


def test_a_drift_that_ended_is_told_again_when_it_comes_back(
    drifting: Project, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sending.ADDRESSES, listener.address())
    verdict, _ = look(drifting)
    changed = {**verdict.__dict__}
    follow(drifting, verdict)
    follow(drifting, Verdict(**{**changed, "status": "too few"}))  # the store was emptied: no end of it
    follow(drifting, verdict)
    assert len(listener.messages) == 1
    follow(drifting, Verdict(**{**changed, "status": "ok"}))
    follow(drifting, verdict)
    assert len(listener.messages) == 2


def test_on_policy_the_pipeline_is_run_once_in_a_while(
    drifting: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is started is `convoy run` in the project; here the interpreter only writes how it was called."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$PWD: $2 $3" >> "$(dirname "$0")/called"\nexit 6\n')
    fake.chmod(0o755)
    verdict, _ = look(drifting)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert follow(drifting, verdict) is None
    drifting.change("min_samples: 30", "min_samples: 30, retrain: true")
    assert follow(drifting, verdict) == 6
    assert follow(drifting, verdict) is None  # within the day
    [line] = (tmp_path / "called").read_text().splitlines()
    assert line == f"{drifting.root}: from convoy.cli import main; main() run"


def test_the_report_is_one_page_that_names_what_drifted_and_fetches_nothing(drifting: Project) -> None:
    verdict, _ = look(drifting)
    page = (drifting.root / watch.REPORT).read_text(encoding="utf-8")
    assert "The model drifts" in page
    for name in ("brightness", "contrast", "sharpness"):
        assert name in page
    assert "Labels are not here yet for 60 of 60 predictions" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert json.loads((drifting.root / watch.NUMBERS).read_text()) == json.loads(
        json.dumps(verdict.as_dict())
    )
