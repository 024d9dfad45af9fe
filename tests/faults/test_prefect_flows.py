"""Eight flows at once, each under a temporary server, on an empty Prefect home: all end well."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from convoy import environment
from tests.faults.servers import SECONDS

FLOWS = 8
pytestmark = pytest.mark.slow

_FLOW = """
import os, sys
from pathlib import Path
from convoy.pipeline.server import temporary_server
print("ready", flush=True)
sys.stdin.readline()
with temporary_server(Path(f"server{sys.argv[1]}.log")) as address:
    os.environ["PREFECT_API_URL"] = address()
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    @task(cache_policy=NO_CACHE)
    def one(number):
        return number + 1

    @flow(name="toy", validate_parameters=False)
    def toy(number):
        return sum(one(n) for n in range(number))

    assert toy(3) == 6
"""


def test_eight_first_flows_on_an_empty_home_all_end_well(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    settings = {**environment.variables(tmp_path), "PREFECT_HOME": str(tmp_path / "home")}
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "PYTEST_"))}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _FLOW, str(number)],
            cwd=tmp_path,
            env={**clean, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(FLOWS)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=3 * SECONDS)[1] for process in started]
    for number, process in enumerate(started):
        log = (tmp_path / f"server{number}.log").read_text()
        assert process.returncode == 0, f"{said[number]}\n{log}"
    with closing(sqlite3.connect(tmp_path / "home" / "prefect.db")) as connection:
        states = connection.execute("SELECT state_type FROM flow_run").fetchall()
    assert states == [("COMPLETED",)] * FLOWS
    record_property("trials", FLOWS)
