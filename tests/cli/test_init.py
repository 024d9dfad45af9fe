import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scaffold.toys import class_folders, pictures, write_csv


def convoy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from convoy.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
    )  # fmt: skip


def test_one_command_makes_a_project_and_shows_the_classes(tmp_path: Path) -> None:
    class_folders(tmp_path / "图 片")
    (tmp_path / "empty").mkdir()
    done = convoy(tmp_path / "empty", "init", "../图 片")
    assert done.returncode == 0, done.stderr
    assert "8 pictures in 2 classes" in done.stdout
    assert ["猫", "4", "50.0%"] in [line.split() for line in done.stdout.splitlines()]
    assert "contact sheet: .convoy/contact_sheet.png" in done.stdout
    assert done.stdout.endswith("next: convoy run\n")
    params = (tmp_path / "empty" / "params.yaml").read_text(encoding="utf-8")
    assert "init '../图 片'   (class folders: 8 pictures in 2 classes)" in params.splitlines()[0]
    assert convoy(tmp_path / "empty", "config", "check").returncode == 0


def test_json_is_all_that_standard_output_holds(tmp_path: Path) -> None:
    class_folders(tmp_path / "birds")
    done = convoy(tmp_path, "init", "birds", "--into", "project", "--copy", "--no-git", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["name"], told["data"]["path"], told["committed"]) == ("birds", "data/raw/birds", False)
    assert told["classes"]["dog"] == {"train": 0, "val": 0, "test": 0, "none": 4, "all": 4}
    assert "bringing 8 files" in done.stderr


def test_a_table_needs_its_label_named_where_it_is_not_clear(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "shots")
    rows = [[f"shots/{path.parent.name}/{path.name}", path.parent.name, "ab"[n % 2]] for n, path in
            enumerate(pictures(folder))]  # fmt: skip
    write_csv(tmp_path / "list.csv", ["file", "what", "where"], rows)
    done = convoy(tmp_path, "init", "list.csv", "--into", "p")
    assert done.returncode == 2
    assert "'what', 'where'" in done.stderr
    assert "--target" in done.stderr
    assert not (tmp_path / "p").exists()
    done = convoy(
        tmp_path, "init", "list.csv", "--into", "p", "--target", "what", "--name", "shots", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["data"]
    assert (told["image_col"], told["target"], told["path"]) == ("file", "what", "data/raw/shots")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["init"], 2, "which data?"),
        (["init", "nowhere"], 3, "there is nothing"),
        (["init", "text.txt"], 3, "nothing here that convoy can learn from"),
        (["init", "text.txt", "--recipe", "photo"], 2, "no recipe is called 'photo'"),
        (["init", "--refresh"], 2, "not a convoy project"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no data")
    done = convoy(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]
