"""`convoy predict`: files, folders, broken pictures, from the registry or a folder, without torch."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from convoy import layout
from convoy.bundle import contents
from convoy.errors import ConfigError, DataError, IntegrityError, ResourceError
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
    assert all(answer["label"] == Path(answer["path"]).parent.name for answer in answers)
    assert set(answers[0]["probabilities"]) == {"down", "up"}


def test_the_table_shows_picture_class_and_probability(convoy: Command, pictures: Path) -> None:
    picture = next(pictures.glob("up/test*.png"))
    out = convoy("predict", str(picture), "--model", BUNDLE).out
    assert "label" in out
    assert "up" in out


def test_the_model_is_said(convoy: Command, pictures: Path, project: Project) -> None:
    convoy("register")
    answer = convoy("predict", str(pictures / "up"), "--json")
    digest = contents.digest(project.root / layout.BUNDLE)
    assert answer.err == f"model: digits/1, sha256 {digest}\n"
    assert {row["model_version"] for row in json.loads(answer.out)} == {"digits/1"}
    answer = convoy("predict", str(pictures / "up"), "--model", BUNDLE, "--json")
    assert {row["model_version"] for row in json.loads(answer.out)} == {f"sha256:{digest[:12]}"}


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
    rows = json.loads(answer.out)
    assert {row["path"]: row["error"] for row in rows if row["error"]} == {
        str(broken): next(row["error"] for row in rows if row["path"] == str(broken)),
        str(empty): "the file is empty",
    }
    assert sum(row["label"] == "up" for row in rows) == len(list(pictures.glob("up/*.png"))) - 2


def test_where_nothing_can_be_read_there_is_no_table(convoy: Command, pictures: Path) -> None:
    empty = pictures / "empty.png"
    empty.touch()
    answer = convoy("predict", str(empty), "--model", BUNDLE)
    assert isinstance(answer.error, DataError)
    assert answer.out == ""
    assert f"{empty}: the file is empty" in answer.err


def test_pictures_that_a_csv_file_lists_are_predicted(
    convoy: Command, pictures: Path, tmp_path: Path
) -> None:
    table = pictures / "list.csv"
    table.write_text("n,file\n1,up/test 1.png\n2,none.png\n3,down/test 0.png\n", encoding="utf-8")
    out = tmp_path / "answers.parquet"
    answer = convoy("predict", str(table), "--column", "file", "--model", BUNDLE, "--output", str(out))
    assert isinstance(answer.error, DataError)
    assert f"{pictures / 'none.png'}: No such file or directory" in answer.err
    found = pd.read_parquet(out)
    assert found["label"].tolist()[::2] == ["up", "down"]
    assert found["error"].tolist()[1] == "No such file or directory"


def test_a_column_that_is_not_there_and_an_unknown_ending_are_refused(
    convoy: Command, pictures: Path, tmp_path: Path
) -> None:
    table = tmp_path / "list.csv"
    table.write_text("file\na.png\n")
    assert isinstance(convoy("predict", str(table), "--model", BUNDLE).error, DataError)
    answer = convoy("predict", str(pictures), "--model", BUNDLE, "--output", str(tmp_path / "a.xlsx"))
    assert isinstance(answer.error, ConfigError)


def test_a_json_file_holds_what_json_prints(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.json"
    answer = convoy("predict", str(pictures), "--model", BUNDLE, "--json", "--output", str(out))
    assert answer.out == out.read_text(encoding="utf-8")


def test_a_bundle_with_a_byte_changed_is_refused_by_name(
    convoy: Command, pictures: Path, project: Project
) -> None:
    convoy("register")
    (stored,) = (project.root / ".convoy").rglob("artifacts/bundle/model.onnx")
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    answer = convoy("predict", str(pictures), "--json")
    assert isinstance(answer.error, IntegrityError)
    assert answer.out == ""


def test_a_folder_with_a_byte_changed_is_refused_by_name(
    convoy: Command, pictures: Path, project: Project
) -> None:
    with (project.root / layout.BUNDLE / "model_card.md").open("ab") as file:
        file.write(b" ")
    error = convoy("predict", str(pictures), "--model", BUNDLE).error
    assert isinstance(error, IntegrityError)
    assert "model_card.md was altered" in str(error)


def test_a_registry_that_is_away_is_a_missing_resource(
    convoy: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert isinstance(convoy("predict", str(pictures)).error, ResourceError)


def test_all_probabilities_go_to_a_csv_file(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    assert convoy("predict", str(pictures / "up"), "--model", BUNDLE, "--output", str(out)).out == ""
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == [
        "path", "label", "probability", "model_version", "error", "p:down", "p:up"
    ]  # fmt: skip
    assert {row["label"] for row in rows} == {"up"}


def test_the_registrys_champion_answers_as_the_bundle_does(convoy: Command, pictures: Path) -> None:
    convoy("register")

    def answers(*more: str) -> list[dict[str, object]]:
        rows = json.loads(convoy("predict", str(pictures), "--json", *more).out)
        return [{**row, "model_version": ""} for row in rows]

    assert answers() == answers("--model", BUNDLE) == answers("--model", "digits/1")


def test_paths_are_the_users_own_below_the_projects_root(
    convoy: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convoy("register")
    monkeypatch.chdir(pictures / "up")
    answers = json.loads(convoy("predict", "test 1.png", "--json").out)
    assert [(a["path"], a["label"]) for a in answers] == [("test 1.png", "up")]


def test_outside_of_a_project_the_server_of_the_environment_is_asked(
    convoy: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    convoy("register")
    monkeypatch.chdir(project.root.parent)
    answers = json.loads(convoy("predict", str(pictures / "up"), "--json").out)
    assert {a["label"] for a in answers} == {"up"}


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
        "mlxtend", "grimp", "torchmetrics", "prometheus_client", "python_multipart",
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
    assert done.stderr.startswith("model: digits/1, ")
    assert len(done.stderr.splitlines()) == 1
    assert {answer["label"] for answer in json.loads(done.stdout)} == {"up"}


def test_a_local_registry_is_read_without_mlflow(convoy: Command, pictures: Path) -> None:
    convoy("register")
    script = (
        "import sys\nfrom convoy.cli import main\n"
        "try: main()\n"
        "finally: print([n for n in ('mlflow', 'pandas', 'sqlalchemy', 'fastapi') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(pictures / "up")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_code_of_a_bundle_is_run(
    convoy: Command, pictures: Path, project: Project, tmp_path: Path
) -> None:
    """Not even of one that nothing vouches for."""
    trap = tmp_path / "ran"
    (project.root / layout.BUNDLE / contents.SUMS).unlink()
    for path in (project.root / layout.BUNDLE / "code").glob("*.py"):
        path.write_text(f"open({str(trap)!r}, 'w').close()\n")
    convoy("predict", str(pictures / "up"), "--model", BUNDLE)
    assert not trap.exists()
