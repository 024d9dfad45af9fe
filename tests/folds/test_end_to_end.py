"""Folds of texts and of pictures, trained; a killed command goes on and ends in the same bytes."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from convoy.folds import plan
from convoy.io import read_json, sha256_file
from convoy.layout import ARTIFACTS, PREPARE, SPLIT, STATE
from tests import project as pictures
from tests.folds import toys
from tests.project import environment, git, run

pytestmark = pytest.mark.slow

COMMAND = ("convoy", "folds", "--folds", "3", "--json")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.make_project(tmp_path_factory.mktemp("folds") / "项 目")


@pytest.fixture(scope="module")
def undisturbed(texts: Path) -> dict[str, object]:
    done = run(texts, *COMMAND)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def folders(root: Path) -> list[Path]:
    return sorted(path.parent for path in (root / STATE / plan.FOLDER).rglob(plan.DONE))


def runs(root: Path) -> list[dict[str, str]]:
    """Of MLflow: the tags of every run, with its status."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root / STATE / 'mlflow' / 'mlflow.db'}")
    ids = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(ids, order_by=["attributes.start_time ASC"])
    return [
        {
            **each.data.tags,
            "id": each.info.run_id,
            "status": each.info.status,
            **{f"metric {name}": str(value) for name, value in each.data.metrics.items()},
        }
        for each in found
    ]


def test_every_sample_is_predicted_by_a_model_that_learned_nothing_of_it(
    texts: Path, undisturbed: dict[str, object]
) -> None:
    table = pd.read_parquet(str(undisturbed["predictions"]))
    assert table["id"].is_unique
    assert len(table) == toys.SAMPLES
    lines = (texts / "data/raw/toy/all.txt").read_text(encoding="utf-8").splitlines()
    for number, folder in enumerate(folders(texts)):
        samples = pd.read_parquet(folder / SPLIT / "samples.parquet")
        tested = set(samples.loc[samples["split"] == "test", "id"])
        assert tested == set(table.loc[table["fold"] == number, "id"])
        training = samples.loc[samples["split"] == "train", "path"]
        words = {word for path in training for word in lines[int(path.partition("#")[2]) - 1].split()[1:]}
        vocabulary = read_json(folder / PREPARE / "preprocessor.json")["vocabulary"]
        assert set(vocabulary[2:]) <= words, "fitted on the training part alone"
    assert not (texts / ARTIFACTS).exists()
    assert git(texts, "status", "--porcelain") == ""


def test_mlflow_has_a_parent_and_a_child_for_each_fold(texts: Path, undisturbed: dict[str, object]) -> None:
    found = runs(texts)
    assert {each["status"] for each in found} == {"FINISHED"}
    [parent] = [each for each in found if "mlflow.parentRunId" not in each]
    children = [each for each in found if each.get("mlflow.parentRunId") == parent["id"]]
    assert len(children) == 3
    mean = undisturbed["mean"]
    assert isinstance(mean, dict)
    assert float(parent["metric mean_accuracy"]) == mean["accuracy"]
    assert "metric val_loss" in children[0]
    again = run(texts, *COMMAND)
    assert json.loads(again.stdout) == undisturbed
    assert again.stderr.count("finished before") == 3
    assert len(runs(texts)) == 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_goes_on_and_ends_in_the_same_bytes(
    number: signal.Signals, texts: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    root = tmp_path / "again"
    shutil.copytree(texts, root, ignore=shutil.ignore_patterns(STATE.name))
    with subprocess.Popen(
        COMMAND, cwd=root, env=environment(root), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "fold 2 of 3: epoch 2/" in line:
                process.send_signal(number)
                break
        process.stderr.read()
    assert process.wait(timeout=60) == (-9 if number == signal.SIGKILL else 143)
    assert len(folders(root)) == 1
    done = run(root, *COMMAND)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished before") == 1
    assert "fold 2 of 3: epoch 1/" not in done.stderr, "the training went on where it was"
    result = json.loads(done.stdout)
    assert result["key"] == undisturbed["key"]
    assert sha256_file(Path(result["predictions"])) == sha256_file(Path(str(undisturbed["predictions"])))
    assert {each["status"] for each in runs(root)} == {"FINISHED"}


def test_pictures_have_folds_too(tmp_path: Path) -> None:
    root = pictures.make_project(tmp_path / "p")
    done = run(root, "convoy", "folds", "-k", "2", "--seeds", "0,1")
    assert done.returncode == 0, done.stderr
    assert "seed 1: mean accuracy" in done.stdout
    assert "out of fold: accuracy" in done.stdout
    assert len(folders(root)) == 4
