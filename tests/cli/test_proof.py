"""`convoy verify` and `convoy reproduce` at the terminal: exit codes, JSON, what is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from convoy import layout
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.pipeline import rebuild
from convoy.proof import reproduce, supply
from convoy.proof.origin import Origin
from convoy.proof.reproduce import Difference, Reproduction, SampleChange
from tests.proof import proven
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy


def test_verify_tells_what_it_checked_and_that_nothing_was_altered(project: Project, convoy: Command) -> None:
    proven.prove(project, ("good",))
    answer = convoy("verify")
    assert answer.error is None
    for part in ("data", "cache", "artifacts", "bundle", "registry", "ledger", "nothing was altered"):
        assert part in answer.out
    report = json.loads(convoy("verify", "--json").out)
    assert report["problems"] == []
    assert report["checked"]["data"]["files"] == 72


def test_verify_names_what_was_altered_and_exits_4(project: Project, convoy: Command) -> None:
    proven.prove(project, ("good",))
    path = project.root / layout.BUNDLE / "model_card.md"
    path.write_text(path.read_text(encoding="utf-8") + "!", encoding="utf-8")
    answer = convoy("verify")
    assert isinstance(answer.error, IntegrityError)
    assert answer.error.exit_code == 4
    assert "artifacts/bundle/model_card.md: model_card.md was altered" in answer.out
    assert "fix:" in answer.out
    shown = convoy("verify", "--json")
    assert isinstance(shown.error, IntegrityError)
    problems = json.loads(shown.out)["problems"]
    assert {(p["area"], p["where"]) for p in problems} == {
        ("artifacts", "artifacts/bundle/model_card.md"), ("bundle", "artifacts/bundle/model_card.md"),
    }  # fmt: skip


def test_verify_works_before_there_is_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convoy: Command
) -> None:
    (tmp_path / "params.yaml").write_text("data: {}\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    answer = convoy("verify")
    assert answer.error is None
    assert "there is no registry here yet" in answer.out
    assert not (tmp_path / "none.db").exists()


def test_commands_outside_of_a_project_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convoy: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (("verify",), ("reproduce", "models:/digits@champion")):
        assert isinstance(convoy(*command).error, ConfigError)


def test_reproduce_refuses_a_version_that_does_not_exist(project: Project, convoy: Command) -> None:
    assert isinstance(convoy("reproduce", "models:/digits@champion").error, ConfigError)
    assert isinstance(convoy("reproduce", "../digits").error, ConfigError)


def test_reproduce_refuses_altered_registered_files(project: Project, convoy: Command) -> None:
    proven.prove(project, ("good",))
    assert convoy("registry", "list").error is None
    [card] = (project.root / ".convoy").rglob("artifacts/bundle/model_card.md")
    card.write_text("altered")
    assert isinstance(convoy("reproduce", "digits/1").error, IntegrityError)


def test_reproduce_needs_the_commit(project: Project, convoy: Command) -> None:
    proven.prove(project, ("good",))
    project.client.set_model_version_tag("digits", "1", "convoy.commit", "0" * 40)
    error = convoy("reproduce", "digits/1").error
    assert isinstance(error, ResourceError)
    assert "has no commit 000000000000" in str(error)


def told(verdict: reproduce.Verdict, **more: Any) -> Reproduction:
    made = Origin("digits", "3", "a" * 40, Path("bundle"), "b" * 64, {})
    numbers = {
        "samples": 24, "max_difference": 0.004, "changed_predictions": 1, "golden_max_difference": 0.001,
        "metrics": {"accuracy": {"registered": 1.0, "rebuilt": 0.75, "difference": -0.25},
                    "mcc": {"registered": 1.0, "rebuilt": 1.0, "difference": 0.0}},
    }  # fmt: skip
    data = [supply.Supplied("data/raw/toy", "c.dir", "d.dir", "this clone").as_dict()]
    return Reproduction(made, verdict, numbers=numbers, stages=[("ingest", 1.25)], data=data, **more)


def answers(monkeypatch: pytest.MonkeyPatch, result: Reproduction) -> None:
    def fake(*_args: object, say: Any, **_named: object) -> Reproduction:
        say("[1/8] ingest …")
        return result

    monkeypatch.setattr(rebuild, "rebuild", fake)


@pytest.mark.parametrize("verdict", ["bit-identical", "within tolerance"])
def test_a_reproduced_version_exits_0_and_says_how(
    verdict: reproduce.Verdict, monkeypatch: pytest.MonkeyPatch, project: Project, convoy: Command
) -> None:
    answers(monkeypatch, told(verdict))
    answer = convoy("reproduce", "digits/3")
    assert answer.error is None
    for part in (verdict, "digits version 3", "a" * 40, "ingest 1.2 s", "0.004", "1.000000 → 0.750000"):
        assert part in answer.out
    assert "mcc" not in answer.out
    assert "[1/8] ingest …" in answer.err
    shown = json.loads(convoy("reproduce", "digits/3", "--json").out)
    assert (shown["verdict"], shown["version"], shown["first"]) == (verdict, "3", None)


def test_a_version_that_differs_exits_4_with_stage_and_sample(
    monkeypatch: pytest.MonkeyPatch, project: Project, convoy: Command
) -> None:
    changes = [SampleChange(f"{n:032x}", "relabelled", f"images#{n}", "7", "1") for n in range(12)]
    first = Difference("ingest", "artifacts/ingest/samples.parquet", "", "")
    answers(monkeypatch, told("different", first=first, samples=changes))
    answer = convoy("reproduce", "digits/3")
    assert isinstance(answer.error, IntegrityError)
    assert answer.error.exit_code == 4
    said = str(answer.error)
    assert f"stage ingest read other samples: images#0 ({0:032x}): class 7 → 1 and 11 more" in said
    assert "where: artifacts/ingest/samples.parquet" in said
    assert "c.dir" in said
    assert f"images#9 ({9:032x}): class 7 → 1" in answer.out
    assert "and 2 more" in answer.out
    assert len(json.loads(convoy("reproduce", "digits/3", "--json").out)["samples"]) == 12


def test_a_stage_that_fails_is_quoted(
    monkeypatch: pytest.MonkeyPatch, project: Project, convoy: Command
) -> None:
    answers(monkeypatch, told("different", failure="stage validate: error 3: too many are broken"))
    assert "too many are broken" in str(convoy("reproduce", "digits/3").error)
