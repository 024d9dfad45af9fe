"""From a folder of pictures to a registered model in two commands; then convoy itself changes."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.project import ROOT, commit, git

pytestmark = pytest.mark.slow

_SHIPPED = ("src", "flows", "recipes", "dvc.yaml", "prefect.yaml", "requirements.lock", "data/fixes.csv",
            ".dvc/config", ".dvcignore", ".gitignore")  # fmt: skip
COLOURS = {"猫咪": 0, "狗": 1, "雨伞 大": 2}


@pytest.fixture(scope="module")
def convoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of convoy that the tests may change."""
    folder = tmp_path_factory.mktemp("installed")
    for name in _SHIPPED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes by colour, 24 pictures each."""
    folder, random = tmp_path_factory.mktemp("a place") / "动物", np.random.default_rng(0)
    for name, channel in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = random.integers(0, 90, (40, 44, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(folder / name / f"图 {number}.png")
    return folder


def run(convoy: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PREFECT_"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(convoy / "src"), "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=folder, env={**clean, **own}, capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(convoy: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root") / "数据" / "猫 咪"
    folder.mkdir(parents=True)
    for command in (["init", str(pictures)], ["run"]):
        done = run(convoy, folder, "convoy", *command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Glyph" not in done.stdout + done.stderr
    return folder


def test_two_commands_end_in_a_champion_of_a_clean_tree(convoy: Path, project: Path) -> None:
    [version] = json.loads(run(convoy, project, "convoy", "registry", "list", "--json").stdout)
    assert (version["version"], version["aliases"]) == ("1", ["champion"])
    assert git(project, "status", "--porcelain") == "?? dvc.lock\n"
    page = (project / "artifacts" / "evaluate" / "report.html").read_text(encoding="utf-8")
    assert "猫咪" in page
    assert "Convoy Sans SC" in page.partition("</style>")[0].partition("@font-face")[2]


def test_another_convoy_reruns_what_its_change_concerns_and_reproduces_nothing_older(
    convoy: Path, project: Path
) -> None:
    commit(project)
    file = convoy / "src" / "convoy" / "evaluation" / "charts.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "# another version\n", encoding="utf-8")
    try:
        alone = run(convoy, project, "convoy", "stage", "evaluate")
        assert alone.returncode == 4
        assert "code/evaluate.json pins: convoy/evaluation/charts.py" in alone.stderr
        older = run(convoy, project, "convoy", "reproduce", "models:/pictures@champion")
        assert older.returncode == 4
        assert "environment differs" in older.stderr
        assert "convoy/evaluation/charts.py" in older.stderr
        again = run(convoy, project, "convoy", "run")
        assert again.returncode == 0, again.stdout + again.stderr
        assert "code/ pins other code now for evaluate" in again.stdout
        ran = {line.split("'")[-2] for line in again.stderr.splitlines() if "Running stage" in line}
        assert ran == {"evaluate"}
    finally:
        file.write_text(before, encoding="utf-8")
    git(project, "checkout", "--quiet", ".")
    assert git(project, "status", "--porcelain") == ""
    done = run(convoy, project, "convoy", "reproduce", "models:/pictures@champion", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "bit-identical", told
    assert "the installed convoy runs the stages" in told["notes"][-1]


def test_a_table_of_pictures_elsewhere_ends_registered_too(
    convoy: Path, pictures: Path, tmp_path: Path
) -> None:
    with (tmp_path / "liste.csv").open("w", encoding="gb18030", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["编号", "照片", "类别"])
        rows.writerows([n, path, path.parent.name] for n, path in enumerate(sorted(pictures.rglob("*.png"))))
    for command in (["init", "liste.csv", "--into", "project"], ["run"]):
        folder = tmp_path / "project" if command == ["run"] else tmp_path
        done = run(convoy, folder, "convoy", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "champion" in done.stdout
