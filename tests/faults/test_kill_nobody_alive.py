"""A hundred looks at a project where everything is alive, or of others: nothing is touched."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from convoy.io import write_json
from convoy.owners import Owner
from convoy.pipeline.reconcile import reconcile
from convoy.registry import runs
from tests.pipeline import toyline
from tests.pipeline.leasing import Leasing, until
from tests.pipeline.test_rwlock import HOLD
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
pytestmark = pytest.mark.slow
LOOKS = 100

# a training that writes its journal in small steps, as one resumed again and again does
TRAINING = """
import sys, time
from pathlib import Path
from convoy.training.journal import Journal
journal = Journal(Path(sys.argv[1]))
with journal.writing():
    journal.append("start", key="k1", name="alive", params={}, datasets=[])
    print("begun", flush=True)
    step = 0
    while True:
        journal.append("metrics", step=step, values={"loss": 1.0})
        step += 1
        time.sleep(0.001)
"""
SLEEP = "import time; time.sleep(3600)"


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_nothing_of_anybody_alive_is_touched_in_a_hundred_looks(
    project: Project, record_property: Callable[[str, object], None]
) -> None:
    root = project.root
    (root / "dvc.yaml").write_text(HOLD)
    (root / "in.txt").write_text("in")
    toyline.dvc(root, "init", "--no-scm", "--quiet")
    state = root / ".convoy"
    me = Owner.of()
    with ExitStack() as stack:

        def keep(process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        training = keep(python(TRAINING, str(state / "runs/k1/journal.jsonl")))
        assert training.stdout is not None
        assert training.stdout.readline() == "begun\n"
        server, starter = keep(python(SLEEP)), keep(python(SLEEP))
        note = {"server": Owner.of(server.pid).record(), "starter": Owner.of(starter.pid).record()}
        write_json(state / f"logs/prefect-server-{server.pid}.json", note)
        dvc = keep(
            subprocess.Popen(
                [sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=root, stdout=subprocess.PIPE, text=True
            )
        )
        until((root / "begun").exists)
        books = (root / ".dvc/tmp/rwlock").read_bytes()
        holder = stack.enter_context(Leasing(root, "project(Path(sys.argv[1]), 'convoy run')"))
        assert holder.line() == "has it"
        owners = {
            "of the training": Owner.of(training.pid),
            "of this process": me,
            "of another host": replace(me, host="another-host", pid=1, ticks=1),
            "of a container": replace(me, space="pid:[1]", pid=1, ticks=1),
            "of nobody": None,
        }
        for name, owner in owners.items():
            start = {"key": name, "name": name, "t": time.time()}
            run_id = runs.find_or_create(project.client, root, "toy", start)
            if owner is not None:
                project.client.set_tag(run_id, runs.PROCESS_TAG, str(owner))
        for _ in range(LOOKS):
            assert reconcile(root, deep=True) == []
        assert all(process.poll() is None for process in (training, server, starter, dvc, holder.process))
        assert (root / ".dvc/tmp/rwlock").read_bytes() == books
        living = project.client.search_runs(
            [runs.experiment_id(project.client, root, "toy")], "attributes.status = 'RUNNING'"
        )
        assert len(living) == len(owners)
        (root / "go").touch()
        dvc.wait(60)
        # the same number, another process: each of these is dead, and is found at once
        for name in ("of the training", "of this process"):
            run = runs.find(project.client, runs.experiment_id(project.client, root, "toy"), name)
            stale = replace(owners[name] or me, ticks=1)
            assert run is not None
            project.client.set_tag(run.info.run_id, runs.PROCESS_TAG, str(stale))
        assert len(reconcile(root, deep=True)) == 2
    record_property("trials", LOOKS)
