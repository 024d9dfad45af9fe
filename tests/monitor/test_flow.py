"""The flow that a schedule runs, on a Prefect server of its own."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from convoy.notify import sending
from tests import toys
from tests.notify.robots import Robot
from tests.registry.fixtures import Command, Project

pytestmark = pytest.mark.slow


def test_a_scheduled_look_ends_as_drifted_and_people_are_told(
    project: Project, convoy: Command, repository: Path, tmp_path: Path, listener: Robot
) -> None:
    settings = "notify: {events: [drifted], timeout_seconds: 60.0}\nmonitor: {min_samples: 30}\n"
    project.change("tracking:", f"{settings}tracking:")
    (project.root / "flows").mkdir()
    shutil.copy(repository / "flows" / "monitor.py", project.root / "flows")
    project.commit()
    convoy("register")
    dark = tmp_path / "dark"
    dark.mkdir()
    for number, pixels in enumerate(toys.images(60, seed=7)):
        Image.fromarray(pixels[:, :, 0] // 3).save(dark / f"{number}.png")
    convoy("predict", str(dark), "--keep", "--json")
    home = tmp_path / "prefect"
    done = subprocess.run(
        [sys.executable, "flows/monitor.py"], cwd=project.root, capture_output=True, text=True, timeout=600,
        check=False, stdin=subprocess.DEVNULL,
        env={
            **os.environ, "PREFECT_HOME": str(home), sending.ADDRESSES: listener.address(),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [message] = listener.bodies
    assert "drifts" in message["title"]
    with closing(sqlite3.connect(home / "prefect.db")) as connection:
        runs = connection.execute("SELECT state_name, state_type FROM flow_run").fetchall()
        [(artifact,)] = connection.execute("SELECT data FROM artifact").fetchall()
    assert runs == [("Drifted", "COMPLETED")]
    assert "brightness" in artifact
