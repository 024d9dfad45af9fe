"""`convoy predict`: files, folders, broken pictures, from the registry or a folder, without torch."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convoy import layout
from convoy.errors import ConfigError, DataError, IntegrityError
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy

BUNDLE = str(layout.BUNDLE)


@pytest.fixture
def pictures(project: Project) -> Path:
    return project.root / "data" / "raw" / "toy"


def test_a_folder_is_searched_and_answered_in_name_order(convoy: Command, pictures: Path) -> None:
    (pictures / "up" / "notes.txt").write_text("no picture")
    (pictures / ".hidden").mkdir()
    shutil.copy(next(pictures.glob("up/*.png")), pictures / ".hidden")
    answers = json.loads(convoy("predict", str(pictures), "--model", BUNDLE, "--json").out)
    expected = sorted(str(path) for path in pictures.glob("*/*.png") if path.parent.name != ".hidden")
    assert [answer["path"] for answer in answers] == expected
    assert all(answer["prediction"] == Path(answer["path"]).parent.name for answer in answers)
    assert set(answers[0]["probabilities"]) == {"down", "up"}


def test_the_table_shows_picture_class_and_probability(convoy: Command, pictures: Path) -> None:
    picture = next(pictures.glob("up/test*.png"))
    out = convoy("predict", str(picture), "--model", BUNDLE).out
    assert "prediction" in out
    assert "up" in out


def test_what_cannot_be_read_is_named_and_the_others_are_predicted(convoy: Command, pictures: Path) -> None:
    broken = pictures / "up" / "broken 猫.png"
    broken.write_bytes(next(pictures.glob("up/*.png")).read_bytes()[:40])
    empty = pictures / "up" / "empty.png"
    empty.touch()
    answer = convoy("predict", str(pictures / "up"), "--model", BUNDLE, "--json")
    assert isinstance(answer.error, DataError)
    assert "2 of" in str(answer.error)
    assert f"{broken}: " in answer.err
    assert f"{empty}: the file is empty" in answer.err
    assert len(json.loads(answer.out)) == len(list(pictures.glob("up/*.png"))) - 2


def test_all_probabilities_go_to_a_csv_file(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    assert convoy("predict", str(pictures / "up"), "--model", BUNDLE, "--output", str(out)).out == ""
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["path", "prediction", "p:down", "p:up"]
    assert {row["prediction"] for row in rows} == {"up"}


def test_the_registrys_champion_answers_as_the_bundle_does(convoy: Command, pictures: Path) -> None:
    convoy("register")
    here = convoy("predict", str(pictures), "--model", BUNDLE, "--json").out
    assert convoy("predict", str(pictures), "--json").out == here
    assert convoy("predict", str(pictures), "--model", "digits/1", "--json").out == here


def test_paths_are_the_users_own_below_the_projects_root(
    convoy: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convoy("register")
    monkeypatch.chdir(pictures / "up")
    answers = json.loads(convoy("predict", "test 1.png", "--json").out)
    assert [(a["path"], a["prediction"]) for a in answers] == [("test 1.png", "up")]


def test_outside_of_a_project_the_server_of_the_environment_is_asked(
    convoy: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    convoy("register")
    monkeypatch.chdir(project.root.parent)
    answers = json.loads(convoy("predict", str(pictures / "up"), "--json").out)
    assert {a["prediction"] for a in answers} == {"up"}


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["nowhere.png", "--model", BUNDLE], DataError, "no such file"),
        (["artifacts/split", "--model", BUNDLE], DataError, "holds no pictures"),
        (["data", "--model", "artifacts/train"], IntegrityError, "bundle.json"),
        (["data", "--model", "models:/nothing@champion"], ConfigError, "no model is called 'nothing'"),
        (["data", "--model", "what is this"], ConfigError, "names no model version"),
    ],
)
def test_wrong_requests_are_explained(
    project: Project, convoy: Command, arguments: list[str], kind: type[Exception], message: str
) -> None:
    answer = convoy("predict", *arguments)
    assert isinstance(answer.error, kind)
    assert message in str(answer.error)


def test_it_works_where_torch_and_the_pipelines_packages_are_missing(
    convoy: Command, pictures: Path, tmp_path: Path
) -> None:
    """All that pyproject's base does not bring is blocked; MLflow's own needs (pandas …) are there."""
    convoy("register")
    blocked = (
        "torch", "pytorch_lightning", "safetensors", "onnx", "onnxscript", "albumentations", "dvc", "prefect",
        "mlxtend", "grimp", "torchmetrics",
    )  # fmt: skip
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nfor n in {blocked!r}: sys.modules[n] = None\n")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from convoy.cli import main; main()",
            "predict",
            str(pictures / "up"),
            "--json",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {answer["prediction"] for answer in json.loads(done.stdout)} == {"up"}


def test_no_code_of_a_bundle_is_run(
    convoy: Command, pictures: Path, project: Project, tmp_path: Path
) -> None:
    trap = tmp_path / "ran"
    for path in (project.root / layout.BUNDLE / "code").glob("*.py"):
        path.write_text(f"open({str(trap)!r}, 'w').close()\n")
    convoy("predict", str(pictures / "up"), "--model", BUNDLE)
    assert not trap.exists()
