"""The recipes for whole data sets, run as their headers say: they reach the score that they promise.

Each takes as long as its header says: some two hours in all, on two cores.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from convoy.io import read_json
from convoy.layout import EVALUATE
from tests.project import commit, copy_files, git, run

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

MINUTES = 30  # that a recipe may take on two cores
OF_FOLDS = 60


@pytest.mark.parametrize(
    ("recipe", "data"),
    [
        ("mnist", "mnist"),
        ("fashion", "fashion_mnist"),
        ("fashion_autoencoder", "fashion_mnist"),
        ("ucr", "sequences/GunPoint"),
        ("ucr", "sequences/ItalyPowerDemand"),
        ("ucr", "sequences/JapaneseVowels"),
        ("ucr", "sequences/BasicMotions"),
        ("ucr_rocket", "sequences/ArrowHead"),
        ("ucr_rocket", "sequences/ItalyPowerDemand"),
        ("mnist1d", "sequences/mnist1d.npz"),
        ("adult", "tabular"),
        ("titanic", "tabular"),
        ("trec", "text"),
        ("waimai", "text"),
        ("mr", "text"),
        ("mnist_pairs", "mnist"),
        ("face_keypoints", "face_keypoints"),
        ("hog_sign_language", "sign_language_digits"),
    ],
)
def test_a_recipe_reaches_the_score_and_keeps_to_the_time_of_its_header(
    recipe: str, data: str, realdata: Path, repository: Path, tmp_path: Path
) -> None:
    if recipe == "waimai":
        pytest.importorskip("rjieba", reason="Chinese words need the extra `text`")
    text = (repository / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8")
    metric, end, expected = promised(text, Path(data).stem)
    [cost] = re.findall(r"^# cost: +about (\d+) minutes", text, re.MULTILINE)
    folds = "convoy folds" in re.findall(r"^# command: +(.+)", text, re.MULTILINE)[0]
    assert int(cost) <= (OF_FOLDS if folds else MINUTES)
    copy_files(tmp_path)
    if recipe.startswith("ucr"):
        text = re.sub("data/raw/[A-Z][A-Za-z]+", f"data/raw/{Path(data).stem}", text)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    named = recipe if data in ("tabular", "text", "sequences/mnist1d.npz") else Path(data).name
    place = tmp_path / "data" / "raw" / named
    if (realdata / data).is_dir():
        shutil.copytree(realdata / data, place)
    else:
        place.mkdir(parents=True)
        shutil.copy(realdata / data, place)
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
    if folds:
        done = run(tmp_path, "convoy", "folds", "--json", timeout=60 * OF_FOLDS)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)["mean"][metric]
    else:
        done = run(tmp_path, "convoy", "run", timeout=60 * MINUTES)
        assert done.returncode == 0, done.stdout + done.stderr
        found = read_json(tmp_path / EVALUATE / "metrics.json")["test"][metric]
        assert "champion" in done.stdout
    assert found >= expected if end == "least" else found <= expected


def promised(text: str, data: str) -> tuple[str, str, float]:
    """Metric, end and bound that a header names: its own set's bound, where it lists sets."""
    [(metric, end, bound)] = re.findall(
        r"^# expected: test (\w+) of at (least|most) (0\.\d+)", text, re.MULTILINE
    )
    own = re.findall(rf"^#   {data} +(0\.\d+)", text, re.MULTILINE)
    return metric, end, float(own[0] if own else bound)


def test_a_header_that_lists_sets_promises_each_its_own() -> None:
    header = (
        "# expected: test accuracy of at least 0.98\n#   GunPoint       0.98  0.99\n#   Other  0.5  0.6\n"
    )
    assert promised(header, "Other") == ("accuracy", "least", 0.5)
    assert promised(header, "unlisted") == ("accuracy", "least", 0.98)
