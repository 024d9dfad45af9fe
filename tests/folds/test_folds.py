"""`convoy folds` without trainings: plans, resumption, results."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from convoy.cli import folds as command
from convoy.config.load import load
from convoy.errors import ConfigError, DataError, ResourceError
from convoy.evaluation import metrics
from convoy.folds import conduct, mirror, plan, results
from convoy.folds.plan import DONE, FAILURE, Fold, Plan
from convoy.io import read_json, write_json
from convoy.layout import ARTIFACTS, PARAMS, STATE, TRAIN, VALIDATE
from tests.folds import toys


@pytest.fixture
def root(repository: Path, tmp_path: Path) -> Path:
    """A project with data, artifacts of its own and a validated table."""
    for name in (PARAMS.as_posix(), "dvc.yaml"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    for folder in ("data/raw", "artifacts/train", ".git", ".convoy"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "vectors.vec").write_text("a 1\n")
    table = plan.base(tmp_path) / VALIDATE / "samples.parquet"
    table.parent.mkdir(parents=True)
    table.write_bytes(b"a table")
    return tmp_path


def planned(root: Path, count: int | None = 3, seeds: tuple[int, ...] = ()) -> Plan:
    return plan.plan(root, load(root / PARAMS), count, seeds)


@pytest.fixture
def runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have run, with nothing trained and MLflow left alone."""
    ran: list[str] = []

    def run(folder: Path, stages: tuple[str, ...], name: str, say: Any) -> None:
        ran.append(name)
        if stages == conduct.OF_A_FOLD:
            write_json(folder / TRAIN / "training.json", {"key": "k"})
            number = load(folder / PARAMS).split
            made = planned(root, number.folds, tuple(seeds_of(folder)))
            fold = next(each for each in made.folds if each.folder == folder)
            toys.finish(made, fold)
            record = read_json(folder / DONE)
            (folder / DONE).unlink()
            write_json(folder / "artifacts" / "evaluate" / "metrics.json", record["metrics"])

    monkeypatch.setattr(conduct, "_run", run)
    monkeypatch.setattr(mirror, "connect", lambda _root: (_ for _ in ()).throw(OSError("no server")))
    return ran


def seeds_of(folder: Path) -> list[int]:
    names = sorted(path.name for path in folder.parents[1].iterdir() if path.name.startswith("seed-"))
    return [int(name.removeprefix("seed-")) for name in names]


def conducted(root: Path, **how: Any) -> results.Result:
    given = {"count": 3, "seeds": (), "say": lambda _line: None, **how}
    return conduct.conduct(root, load(root / PARAMS), **given)


def test_each_fold_has_its_split_and_seed_and_nothing_else_changes(root: Path) -> None:
    made = planned(root, 4, (7, 8))
    assert [(fold.seed, fold.number) for fold in made.folds] == [(s, n) for s in (7, 8) for n in range(4)]
    fold = made.folds[5]
    made.lay(fold)
    ours, theirs = load(fold.folder / PARAMS), load(root / PARAMS)
    assert (ours.split.strategy, ours.split.folds, ours.split.fold) == ("folds", 4, 1)
    assert (ours.split.seed, ours.train.seed, ours.evaluate.robustness_samples) == (8, 8, 0)
    for section in ("data", "prepare", "augment", "model", "objective"):
        assert getattr(ours, section) == getattr(theirs, section)
    plain = planned(root, None).folds[0]
    assert (plain.seed, planned(root, None).count) == (None, theirs.split.folds)
    assert plan.of_fold(made.params, 5, plain)["train"] == made.params["train"]


def test_a_fold_works_beside_the_projects_artifacts_and_on_its_files(root: Path) -> None:
    made = planned(root)
    fold = made.folds[0]
    for _ in range(2):  # the second lays over what a killed one left
        made.lay(fold)
        (fold.folder / ARTIFACTS / "split").mkdir()
        (fold.folder / STATE / "checkpoints").mkdir(exist_ok=True)
    made.lay(fold)
    assert not (fold.folder / ARTIFACTS / "split").exists()
    assert (fold.folder / STATE / "checkpoints").is_dir(), "an interrupted training goes on"
    assert (fold.folder / VALIDATE / "samples.parquet").read_bytes() == b"a table"
    assert (fold.folder / "vectors.vec").resolve() == root / "vectors.vec"
    assert not (fold.folder / ARTIFACTS).is_symlink()
    assert not (fold.folder / ".git").exists()
    assert (root / "artifacts" / "train").is_dir()


def test_other_data_parameters_folds_or_seeds_are_another_command(root: Path) -> None:
    keys = {planned(root).key, planned(root, 4).key, planned(root, 3, (0,)).key}
    text = (root / PARAMS).read_text(encoding="utf-8")
    assert planned(root).key in keys
    (root / PARAMS).write_text(
        text.replace("label_smoothing: 0.05", "label_smoothing: 0.1"), encoding="utf-8"
    )
    keys.add(planned(root).key)
    (root / PARAMS).write_text(text.replace("retries: 1", "retries: 2"), encoding="utf-8")
    assert planned(root).key in keys, "what shapes no model is no other command"
    (plan.base(root) / VALIDATE / "samples.parquet").write_bytes(b"another")
    keys.add(planned(root).key)
    assert len(keys) == 5
    with pytest.raises(ConfigError, match="twice"):
        planned(root, 3, (1, 1))


def test_what_is_finished_is_not_done_again(root: Path, runs: list[str]) -> None:
    lines: list[str] = []
    first = conducted(root, say=lines.append)
    assert runs == ["data", "fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert [line for line in lines if "the folds go on" in line], "MLflow is away"
    made = planned(root)
    assert not (made.folds[0].folder / "artifacts/prepare/train").exists()
    (made.folds[1].folder / DONE).unlink()
    runs.clear()
    again = conducted(root)
    assert runs == ["data", "fold 2 of 3"]
    assert {**again.as_dict(), "folds": []} == {**first.as_dict(), "folds": []}


def test_a_fold_that_fails_says_so_and_keeps_the_others(
    root: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = conduct._run

    def fails(folder: Path, stages: tuple[str, ...], name: str, say: Any) -> None:
        if name.startswith("fold 2"):
            told = {"code": 3, "what": "a class is missing", "where": "x.csv", "fix": "add samples"}
            write_json(folder / FAILURE, told)
            raise conduct._failure(folder, name, 3, [])
        run(folder, stages, name, say)

    monkeypatch.setattr(conduct, "_run", fails)
    with pytest.raises(DataError, match="fold 2 of 3: a class is missing") as error:
        conducted(root)
    assert "the same command goes on" in error.value.fix
    made = planned(root)
    assert [(fold.folder / DONE).is_file() for fold in made.folds] == [True, False, False]
    with pytest.raises(ResourceError, match="signal 9\n    last words"):
        raise conduct._failure(root, "fold 1", -9, ["last words"])


def test_two_commands_at_once_are_refused(root: Path, runs: list[str]) -> None:
    (root / STATE / "locks").mkdir()
    with FileLock(root / STATE / "locks" / "folds.lock"), pytest.raises(ResourceError, match="another"):
        conducted(root)
    assert runs == []


def test_every_sample_counts_once_and_the_numbers_are_those_of_the_table(root: Path, runs: list[str]) -> None:
    found = conducted(root)
    table = pd.read_parquet(found.folder / results.PREDICTIONS)
    assert sorted(table["id"]) == [f"{number:032x}" for number in range(toys.SAMPLES)]
    right = table["target"] == table["prediction"]
    assert found.pooled["accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    by_fold = right.groupby(table["fold"]).mean()
    assert found.mean["accuracy"] == pytest.approx(by_fold.mean(), abs=1e-6)
    assert found.sd["accuracy"] == pytest.approx(by_fold.std(ddof=1), abs=1e-6)
    assert found.mean["baseline_accuracy"] == 0.5
    low, high = found.interval["accuracy"]
    assert low < found.pooled["accuracy"] < high
    assert high - low == pytest.approx(2 * 1.96 * (2 / 9 / toys.SAMPLES) ** 0.5, rel=0.15)
    assert metrics.summary(metrics.scored(table)) == found.pooled
    assert list(pd.read_csv(found.folder / results.TABLE)["fold"]) == [0, 1, 2]


def test_seeds_repeat_the_folds_and_the_interval_is_over_samples(root: Path, runs: list[str]) -> None:
    made = planned(root, 3, (0, 3))
    for fold in made.folds:
        fold.folder.mkdir(parents=True)
    same = conducted(root, seeds=(0, 3))  # the two seeds' models answer alike
    assert [seed for seed, _ in same.seeds] == [0, 3]
    assert len(same.predictions) == 2 * toys.SAMPLES
    alone = conducted(root)
    assert same.interval["accuracy"] == alone.interval["accuracy"], "twice the same is no more evidence"


@pytest.mark.parametrize(("text", "wanted"), [("", []), ("0,1,2", [0, 1, 2]), (" 4, 5 ", [4, 5])])
def test_seeds_are_numbers(text: str, wanted: list[int]) -> None:
    assert command._seeds(text) == wanted
    for wrong in ("a", "1,x", "-1"):
        with pytest.raises(ConfigError, match=r"seed"):
            command._seeds(wrong)


def test_a_name_says_the_seed(tmp_path: Path) -> None:
    assert Fold(None, 0, tmp_path).name == "fold 1"
    assert Fold(2, 4, tmp_path).name == "seed 2, fold 5"
