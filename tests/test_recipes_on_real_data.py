"""The recipes for whole data sets, run as their headers say: they reach the score that they promise.

Each takes as long as its header says: an hour in all, on two cores.
"""

import re
import shutil
from pathlib import Path

import pytest

from convoy.io import read_json
from convoy.layout import EVALUATE
from tests.project import commit, copy_files, git, run

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

MINUTES = 30  # that a recipe may take on two cores


@pytest.mark.parametrize(
    ("recipe", "data"),
    [
        ("mnist", "mnist"),
        ("fashion", "fashion_mnist"),
        ("fashion_autoencoder", "fashion_mnist"),
        ("ucr", "sequences/GunPoint"),
        ("adult", "tabular"),
        ("titanic", "tabular"),
        ("mnist_pairs", "mnist"),
        ("face_keypoints", "face_keypoints"),
        ("hog_sign_language", "sign_language_digits"),
    ],
)
def test_a_recipe_reaches_the_score_and_keeps_to_the_time_of_its_header(
    recipe: str, data: str, realdata: Path, repository: Path, tmp_path: Path
) -> None:
    text = (repository / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8")
    [(metric, end, expected)] = re.findall(
        r"^# expected: test (\w+) of at (least|most) (0\.\d+)", text, re.MULTILINE
    )
    [cost] = re.findall(r"^# cost: +about (\d+) minutes", text, re.MULTILINE)
    assert int(cost) <= MINUTES
    copy_files(tmp_path)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    named = recipe if data == "tabular" else Path(data).name
    shutil.copytree(realdata / data, tmp_path / "data" / "raw" / named)
    with (tmp_path / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write("/data/raw/\n")
    if recipe == "mnist_pairs":
        raw = tmp_path / "data" / "raw"
        script = repository / "scripts" / "mnist_pairs.py"
        folders = (str(raw / "mnist"), str(raw / "mnist_pairs"))
        made = run(tmp_path, "python", str(script), *folders, timeout=600)
        assert made.returncode == 0, made.stderr
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    done = run(tmp_path, "convoy", "run", timeout=60 * MINUTES)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_json(tmp_path / EVALUATE / "metrics.json")["test"][metric]
    assert found >= float(expected) if end == "least" else found <= float(expected)
    assert "champion" in done.stdout
