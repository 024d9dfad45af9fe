"""scripts/seeds.py: a recipe with several seeds."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from types import ModuleType

import pytest

from tests.folds.toys import write_texts
from tests.project import ROOT

SCRIPT = ROOT / "scripts" / "seeds.py"
SMALL = (
    "data.lines={all: all.txt}", "train.epochs=2", "train.batch_size=8", "train.precision=fp32",
    "train.compile=off", "train.threads=1", "model.embedding.size=8", "model.filters=8",
    "evaluate.resamples=100", "split.val=0.2",
)  # fmt: skip


@pytest.fixture
def seeds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seeds", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_seed_is_that_of_the_split_and_of_the_training(seeds: ModuleType) -> None:
    text = (ROOT / "recipes" / "trec.yaml").read_text(encoding="utf-8")
    found = seeds.parameters(text, ["train.epochs=3", "model.embedding.size=8"], 7, train_only=False)
    assert (found["split"]["seed"], found["train"]["seed"], found["train"]["epochs"]) == (7, 7, 3)
    assert found["model"]["embedding"]["size"] == 8
    kept = seeds.parameters(text, [], 7, train_only=True)
    assert (kept["split"]["seed"], kept["train"]["seed"]) == (0, 7)


@pytest.mark.parametrize("change", ["train.epochs", "epochs=3", "trian.epochs=3", "train.epochs.more=3"])
def test_a_change_of_what_the_recipe_lacks_is_refused(seeds: ModuleType, change: str) -> None:
    text = (ROOT / "recipes" / "trec.yaml").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="is no change of the recipe"):
        seeds.parameters(text, [change], 0, train_only=False)


@pytest.mark.slow
def test_each_seed_is_run_once_and_mean_and_deviation_follow(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts")
    recipe = str(ROOT / "recipes" / "trec.yaml")
    command = [sys.executable, str(SCRIPT), recipe, str(tmp_path / "texts"), *SMALL, "--work", "work"]

    def run(given: str) -> tuple[list[dict[str, float]], str]:
        done = subprocess.run(
            [*command, "--seeds", given], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    (first, second, all_of_them), told = run("0,1")
    values = [first["accuracy"], second["accuracy"]]
    assert [first["seed"], second["seed"]] == [0, 1]
    assert all_of_them["mean"] == pytest.approx(mean(values), abs=1e-6)
    assert all_of_them["sd"] == pytest.approx(stdev(values), abs=1e-6)
    assert "epoch 2/2" in told
    again, told = run("0,1")
    assert again == [first, second, all_of_them]
    assert "epoch" not in told
