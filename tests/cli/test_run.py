"""What `convoy run` starts, and that it starts nothing where nothing is left to do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convoy.cli import run as run_module
from convoy.data import downloads
from convoy.errors import ConfigError, ResourceError
from convoy.pipeline import abandoned, causes, checking, fresh, recorded, server, summary
from convoy.pipeline.fresh import Standing
from tests.data.sources.toys_named import write_set
from tests.registry import fixtures
from tests.registry.fixtures import Answer, Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy

GRAPH: dict[str, set[str]] = {"ingest": set(), "train": {"ingest"}}
ALL = frozenset(GRAPH)
FLOW = """
import json, os, sys
found = {"arguments": sys.argv[1:], "server": os.environ["PREFECT_API_URL"]}
with open("began", "w") as file:
    json.dump(found, file)
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def stands(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[Standing | None], None]:
    """Says what DVC answers, in a project whose flow only writes how it was called, without a server."""

    @contextmanager
    def no_server(log: Path) -> Iterator[server.Temporary]:
        monkeypatch.setattr(server.Temporary, "address", lambda self: self.url)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            if os.environ.get("SERVER") == "dies":
                process.kill()
                process.wait()
            yield server.Temporary(process, "http://temporary/api", log)
            process.kill()

    (project.root / "flows").mkdir()
    (project.root / "flows/pipeline.py").write_text(FLOW)
    (project.root / ".gitignore").write_text("/.convoy/\n/artifacts/\n/data/\n/began\n")
    project.commit()
    metrics = dict.fromkeys(("accuracy", "macro_f1", "log_loss"), 0.5) | {"samples": 24}
    monkeypatch.setattr(
        summary, "read_json",
        lambda path: {"test": metrics, "intervals": dict.fromkeys(metrics, (0, 1))}
        if path.name == "metrics.json" else json.loads(path.read_text("utf-8")),
    )  # fmt: skip
    monkeypatch.setattr(recorded, "read_json", summary.read_json)
    monkeypatch.setattr(server, "temporary_server", no_server)
    monkeypatch.setattr(abandoned, "mark", lambda _url, **_: [])
    monkeypatch.setattr(checking, "check", lambda _root: None)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return lambda found: monkeypatch.setattr(fresh, "standing", lambda _root: found)


def code(answer: Answer) -> int:
    return answer.error.code if isinstance(answer.error, SystemExit) else 0  # type: ignore[return-value]


def began(project: Project) -> dict[str, object] | None:
    """How the flow was called; None where it was not."""
    path = project.root / "began"
    return json.loads(path.read_text()) if path.exists() else None


Stands = Callable[[Standing | None], None]


def test_a_run_with_nothing_to_do_shows_the_result_and_starts_nothing(
    stands: Stands, project: Project, convoy: Command
) -> None:
    summary.conclude(project.root, project.config)
    stands(Standing(GRAPH, ALL))
    answer = convoy("run")
    assert code(answer) == 0
    assert "digits version 1 (registered before)" in answer.out
    assert began(project) is None


def test_a_refusal_is_6_each_time(stands: Stands, project: Project, convoy: Command) -> None:
    project.change("minimum: 0.5", "minimum: 0.9")
    project.commit()
    project.use("poor")
    summary.conclude(project.root, project.config)
    stands(Standing(GRAPH, ALL))
    answer = convoy("run")
    assert code(answer) == 6
    assert "refused" in answer.out
    assert began(project) is None


def test_what_is_fresh_but_not_registered_is_registered_by_the_flow(
    stands: Stands, project: Project, convoy: Command
) -> None:
    stands(Standing(GRAPH, ALL))
    assert code(convoy("run")) == 0
    found = began(project)
    assert found == {
        "arguments": ["--checked", "--fresh", "ingest", "train"],
        "server": "http://temporary/api",
    }


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Standing(GRAPH, frozenset({"ingest"})), ["--checked", "--fresh", "ingest"]),
        (Standing(GRAPH, frozenset()), ["--checked", "--fresh"]),
        (None, ["--checked", "--fresh"]),
    ],
    ids=["partly", "nothing is fresh", "DVC cannot tell"],
)
def test_the_flow_hears_what_is_fresh(
    found: Standing | None, told: list[str], stands: Stands, project: Project, convoy: Command
) -> None:
    summary.conclude(project.root, project.config)
    stands(found)
    convoy("run")
    assert began(project) == {"arguments": told, "server": "http://temporary/api"}


def test_a_standing_server_hears_of_every_run(
    stands: Stands, project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow then asks DVC by itself, as a scheduled run does."""
    summary.conclude(project.root, project.config)
    stands(Standing(GRAPH, ALL))
    monkeypatch.setenv("PREFECT_API_URL", "http://standing/api")
    convoy("run")
    assert began(project) == {"arguments": ["--checked"], "server": "http://standing/api"}


def test_a_named_data_set_is_fetched_where_its_files_are_missing(
    stands: Stands, project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path]] = []

    def get(dataset: str, folder: Path, say: Callable[[str], None]) -> None:
        say("fetching")
        asked.append((dataset, folder))
        write_set(folder, dataset)

    monkeypatch.setattr(downloads, "get", get)
    project.change(
        "source: image_folder, path: data/raw/toy", "source: named, dataset: MNIST, path: data/raw/set"
    )
    stands(Standing(GRAPH, frozenset()))
    convoy("run")
    convoy("run")
    assert asked == [("MNIST", Path("data/raw/set"))]


def test_the_flows_exit_code_is_the_commands(
    stands: Stands, project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(None)
    monkeypatch.setenv("CODE", "3")
    assert code(convoy("run")) == 3


def test_a_temporary_server_that_died_is_named_where_the_run_failed_and_no_matter_where_not(
    stands: Stands, project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(None)
    monkeypatch.setenv("SERVER", "dies")
    assert code(convoy("run")) == 0
    monkeypatch.setenv("CODE", "1")
    answer = convoy("run")
    assert isinstance(answer.error, ResourceError)
    assert "Prefect server ended in the middle of the run (signal 9)" in str(answer.error)
    assert causes.of(causes.Ending(code=5, message=str(answer.error))).name == "server away"


def test_a_tracking_server_that_is_away_ends_the_run_with_its_name(
    stands: Stands, project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(Standing(GRAPH, ALL))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    answer = convoy("run")
    assert isinstance(answer.error, ResourceError | OSError)
    assert began(project) is None


def test_a_project_without_a_flow_is_told_how_to_get_it(
    stands: Stands, project: Project, convoy: Command
) -> None:
    stands(Standing(GRAPH, ALL))
    (project.root / "flows/pipeline.py").unlink()
    assert isinstance(convoy("run").error, ConfigError)


def test_a_flow_whose_server_has_died_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_module, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(run_module, "_END_SECONDS", 0.2)
    dead = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    dead.wait()
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as flow:
        assert flow.stdout is not None
        flow.stdout.readline()
        with pytest.raises(ResourceError, match="ended in the middle of the run"):
            run_module._ended(flow, server.Temporary(dead, "", tmp_path / "log"))
    assert flow.returncode == -signal.SIGKILL
