from pathlib import Path

import pandas as pd
import pytest

from convoy import io
from convoy.config.data import SplitConfig
from convoy.data import manifest
from convoy.errors import DataError, IntegrityError
from convoy.stages.split import split

CLASSES = ["dog", "cat"]
CONFIG = SplitConfig(strategy="auto", val=0.1, test=0.2, seed=0)


def validated(folder: Path, counts: dict[str, int]) -> Path:
    targets = [name for name, count in counts.items() for _ in range(count)]
    rows = range(len(targets))
    samples = pd.DataFrame(
        {
            "id": [f"{row:032x}" for row in rows],
            "path": [f"{row}.png" for row in rows],
            "target": targets,
            "split": pd.Series([None] * len(targets), dtype=object),
            "width": 5,
        }
    )
    manifest.write(folder, samples)
    io.write_json(folder / "report.json", {"classes": list(counts)})
    return folder


def test_every_sample_gets_a_split_and_the_summary_counts_them(tmp_path: Path) -> None:
    split(validated(tmp_path / "in", {"dog": 30, "cat": 50}), CONFIG, out=tmp_path / "out")
    samples = manifest.read(tmp_path / "out")
    assert samples["split"].isin(manifest.SPLITS).all()
    assert samples["width"].tolist() == [5] * 80
    counts = {
        side: {
            name: int(((samples["split"] == side) & (samples["target"] == name)).sum()) for name in CLASSES
        }
        for side in manifest.SPLITS
    }
    assert all(count for by_class in counts.values() for count in by_class.values())
    assert io.read_json(tmp_path / "out/summary.json") == {
        "strategy": "stratified",
        "carved": ["val", "test"],
        "moved": [],
        "groups": 0,
        "task": "classification",
        "points": [],
        "separator": "",
        "classes": CLASSES,
        "counts": counts,
        "totals": {side: sum(by_class.values()) for side, by_class in counts.items()},
    }


def test_a_task_without_classes_is_divided_and_counted_all_the_same(tmp_path: Path) -> None:
    folder = validated(tmp_path / "in", {"face": 60})
    manifest.write(folder, manifest.read(folder).assign(target=None))
    split(folder, CONFIG, out=tmp_path / "out")
    totals = io.read_json(tmp_path / "out/summary.json")["totals"]
    assert sum(totals.values()) == 60
    assert min(totals.values()) > 0


def test_folds_are_taken_from_the_parameters(tmp_path: Path) -> None:
    folder = validated(tmp_path / "in", {"dog": 90, "cat": 90})
    tested = []
    for fold in range(3):
        config = SplitConfig(strategy="folds", val=0.1, test=0.2, seed=0, folds=3, fold=fold)
        split(folder, config, out=tmp_path / "out")
        rows = manifest.read(tmp_path / "out")
        tested += rows.loc[rows["split"] == "test", "id"].tolist()
    assert sorted(tested) == sorted(manifest.read(folder)["id"])


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        split(validated(tmp_path / f"in {name}", {"cat": 9, "dog": 9}), CONFIG, out=tmp_path / name)
    assert io.sha256_tree(tmp_path / "one") == io.sha256_tree(tmp_path / "two")


def test_a_class_that_cannot_be_divided_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'dog'"):
        split(validated(tmp_path / "in", {"cat": 9, "dog": 2}), CONFIG, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_validate_that_did_not_pass_is_no_input(tmp_path: Path) -> None:
    validated(tmp_path / "in", {"cat": 9, "dog": 9})
    (tmp_path / "in" / manifest.FILE).unlink()
    with pytest.raises(IntegrityError, match="sample table"):
        split(tmp_path / "in", CONFIG, out=tmp_path / "out")
