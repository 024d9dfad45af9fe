"""Eight flows at once, each under a temporary server, on an empty Prefect home: all end well."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from convoy import environment
from tests.faults.servers import at_once

FLOWS = 8
pytestmark = pytest.mark.slow

_FLOW = """
import os, sys
from pathlib import Path
from convoy.pipeline.server import temporary_server
print("ready", flush=True)
sys.stdin.readline()
with temporary_server(Path(f"server{sys.argv[2]}.log")) as server:
    os.environ["PREFECT_API_URL"] = server.address()
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
    for number, (code, said) in enumerate(at_once(_FLOW, FLOWS, tmp_path, {**clean, **settings})):
        assert code == 0, f"{said}\n{(tmp_path / f'server{number}.log').read_text()}"
    with closing(sqlite3.connect(tmp_path / "home" / "prefect.db")) as connection:
        states = connection.execute("SELECT state_type FROM flow_run").fetchall()
    assert states == [("COMPLETED",)] * FLOWS
    record_property("trials", FLOWS)
