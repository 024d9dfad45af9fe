"""How two bundles are compared, and what is said of their samples and stages."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from convoy import io, layout
from convoy.proof import reproduce
from convoy.proof.reproduce import Difference
from convoy.stages.package import package


def bundles(workshop: Path, tmp_path: Path) -> tuple[Path, Path]:
    return workshop / "good" / "bundle", shutil.copytree(workshop / "good" / "bundle", tmp_path / "rebuilt")


def write_table(folder: Path, table: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "samples.parquet", index=False)


def test_relabelled_added_removed_and_moved_samples_are_named(workshop: Path, tmp_path: Path) -> None:
    registered, _ = bundles(workshop, tmp_path)
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet")
    write_table(tmp_path / layout.SPLIT, table)
    assert reproduce.sample_changes(registered, tmp_path) == []
    other = table.copy()
    other.loc[0, "target"] = "down" if table.loc[0, "target"] == "up" else "up"
    other.loc[1, "split"] = "test"
    other = other.drop(index=2)
    other.loc[len(table)] = {**table.loc[3].to_dict(), "id": "f" * 32, "path": "new.png"}
    write_table(tmp_path / layout.SPLIT, other)
    changes = reproduce.sample_changes(registered, tmp_path)
    assert [(change.kind, change.id) for change in changes] == [
        ("relabelled", table.loc[0, "id"]), ("added", "f" * 32), ("removed", table.loc[2, "id"]),
        ("moved", table.loc[1, "id"]),
    ]  # fmt: skip
    first = changes[0]
    assert (first.path, first.before) == (table.loc[0, "path"], table.loc[0, "target"])
    assert str(first) == f"{first.path} ({first.id}): class {first.before} → {first.after}"


def test_the_stage_of_changed_samples_is_the_first_that_shows_them(workshop: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet")
    write_table(tmp_path / layout.INGEST, table)
    change = reproduce.SampleChange
    gone = table.loc[0, "id"]
    assert reproduce.stage_of([change(gone, "relabelled", "a", "up", "down")], tmp_path) == "ingest"
    assert reproduce.stage_of([change("f" * 32, "removed", "", "up", "")], tmp_path) == "ingest"
    assert reproduce.stage_of([change(gone, "removed", "", "up", "")], tmp_path) == "validate"
    assert reproduce.stage_of([change(gone, "moved", "a", "train", "test")], tmp_path) == "split"


def test_before_the_split_only_what_is_sure_is_a_change(workshop: Path, tmp_path: Path) -> None:
    registered, _ = bundles(workshop, tmp_path)
    table = pd.read_parquet(workshop / "shared" / "split" / "samples.parquet").assign(split=None)
    table.loc[len(table)] = {**table.loc[0].to_dict(), "id": "f" * 32}
    write_table(tmp_path / layout.INGEST, table)
    assert reproduce.sample_changes(registered, tmp_path) == []


def test_the_lock_names_the_first_stage_and_the_file_that_differ() -> None:
    def lock(train: str, split: str) -> dict[str, Any]:
        return {
            "stages": {
                "train": {"outs": [{"path": "artifacts/train/model", "md5": train}]},
                "split": {"outs": [{"path": "artifacts/split", "md5": split}]},
            }
        }

    old, new = {"samples.parquet": "1", "summary.json": "2"}, {"samples.parquet": "1", "summary.json": "3"}
    listings = {"o.dir": old, "n.dir": new}
    order = ["split", "train"]
    found = reproduce.lock_differences(
        lock("a", "o.dir"), lock("b", "n.dir"), order, listings.get, listings.get
    )
    assert found == [
        Difference("split", "artifacts/split/summary.json", "2", "3"),
        Difference("train", "artifacts/train/model", "a", "b"),
    ]
    unknown = reproduce.lock_differences(lock("a", "o.dir"), lock("a", "n.dir"), order, {}.get, listings.get)
    assert unknown == [Difference("split", "artifacts/split", "o.dir", "n.dir")]
    assert reproduce.lock_differences(None, lock("a", "b"), order, {}.get, {}.get) == []


def test_files_of_a_bundle_are_traced_to_the_stage_that_decides_them(workshop: Path, tmp_path: Path) -> None:
    registered, rebuilt = bundles(workshop, tmp_path)
    assert reproduce.bundle_differences(registered, rebuilt) == []
    (rebuilt / "requirements.txt").write_text("numpy==0\n")
    [only] = reproduce.bundle_differences(registered, rebuilt)
    assert (only.stage, only.file) == ("package", "artifacts/bundle/requirements.txt")
    (rebuilt / "model.safetensors").write_bytes(b"x")
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "train"
    info = io.read_json(rebuilt / "bundle.json")
    io.write_json(rebuilt / "bundle.json", {**info, "metrics": {"test": {}, "val": {}}})
    stages = {each.file: each.stage for each in reproduce.bundle_differences(registered, rebuilt)}
    assert stages["artifacts/bundle/bundle.json"] == "evaluate"
    info["provenance"]["data_digest"] = "e" * 64
    io.write_json(rebuilt / "bundle.json", info)
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "prepare"
    (rebuilt / "samples.parquet").write_bytes(b"x")
    assert reproduce.bundle_differences(registered, rebuilt)[0].stage == "split"


def test_equal_bundles_differ_by_nothing_and_others_by_numbers(workshop: Path, tmp_path: Path) -> None:
    good, rebuilt = bundles(workshop, tmp_path)
    shutil.copytree(workshop / "shared" / "prepare", tmp_path / layout.PREPARE)
    same = reproduce.numbers(good, rebuilt, tmp_path)
    assert (same["samples"], same["max_difference"], same["changed_predictions"]) == (24, 0.0, 0)
    assert same["golden_max_difference"] < 1e-6
    assert all(row["difference"] == 0.0 for row in same["metrics"].values())
    assert reproduce.within(same, 0.0)
    poor = reproduce.numbers(good, workshop / "poor" / "bundle", tmp_path)
    assert poor["changed_predictions"] == 6
    assert poor["metrics"]["accuracy"] == {"registered": 1.0, "rebuilt": 0.75, "difference": -0.25}
    assert not reproduce.within(poor, reproduce.TOLERANCE)
    assert reproduce.within(poor, poor["max_difference"])


def test_close_answers_of_another_recipe_are_no_reproduction(workshop: Path, tmp_path: Path) -> None:
    registered, rebuilt = bundles(workshop, tmp_path)
    assert reproduce.same_recipe(registered, rebuilt)
    info = io.read_json(rebuilt / "bundle.json")
    info["params"]["train"]["optimizer"]["lr"] *= 2
    io.write_json(rebuilt / "bundle.json", info)
    assert not reproduce.same_recipe(registered, rebuilt)


def test_a_temperature_alone_is_within_some_tolerance(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop, tmp_path / "workshop")
    io.write_json(
        copy / "good" / "evaluate" / "calibration.json",
        {"method": "temperature", "temperature": 1.001, "thresholds": {}},
    )
    package(
        copy / "good" / "train", copy / "good" / "evaluate", copy / "shared" / "prepare",
        copy / "shared" / "split", tmp_path / "rebuilt", environment_lock=copy / "none",
    )  # fmt: skip
    shutil.copytree(workshop / "shared" / "prepare", tmp_path / layout.PREPARE)
    found = reproduce.numbers(workshop / "good" / "bundle", tmp_path / "rebuilt", tmp_path)
    assert 0 < found["max_difference"] < 0.01
    assert found["changed_predictions"] == 0
    [card, golden, *_] = reproduce.bundle_differences(workshop / "good" / "bundle", tmp_path / "rebuilt")[1:]
    assert {card.stage, golden.stage} == {"package"}
