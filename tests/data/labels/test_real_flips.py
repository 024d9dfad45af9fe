"""Wrong labels among real pictures: found, decided about, right at the next run."""

import csv
import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from convoy import layout
from convoy.cli.app import app
from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import facts
from convoy.data.labels.audit import audit
from convoy.stages.ingest import ingest
from convoy.stages.validate import validate
from tests.registry.fixtures import PARAMS

pytestmark = pytest.mark.realdata

DATA = DataConfig(source="image_folder", path="data/raw/toy")
CONFIG = ValidateConfig(max_bad_fraction=0.05, max_pixels=50_000_000, min_per_class=3)


def copied(source: Path, target: Path, wrong: int) -> dict[str, str]:
    """Class folders under new names, some pictures in a wrong one. Returns these, with their right class."""
    pictures = sorted(source.glob("*/*.*"))
    random = np.random.default_rng(0)
    flips = set(random.choice(len(pictures), wrong, replace=False).tolist())
    classes = sorted({picture.parent.name for picture in pictures})
    moved = {}
    for number, picture in enumerate(pictures):
        right = picture.parent.name
        given = right
        if number in flips:
            given = classes[(classes.index(right) + int(random.integers(1, len(classes)))) % len(classes)]
            moved[f"{given}/{number:05}{picture.suffix}"] = right
        (target / given).mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, target / given / f"{number:05}{picture.suffix}")
    return moved


def run_stages() -> None:
    ingest(DATA, out=layout.INGEST, known=Path(".convoy/cache/stamps"))
    validate(layout.INGEST, DATA, CONFIG, out=layout.VALIDATE)


def test_thirty_flipped_hand_signs_are_found_decided_about_and_right_afterwards(
    realdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("params.yaml", PARAMS), ("dvc.yaml", "stages: {}\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    wrong = copied(realdata / "sign_language_digits", tmp_path / DATA.path, 30)
    run_stages()
    file = layout.VALIDATE / "fixes.csv"
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    first = [row["path"] for row in rows[:60]]
    found = [path for path in first if path in wrong]
    assert len(found) >= 24
    for row in rows:
        if row["path"] in found:
            row |= {"action": "relabel", "suggested": wrong[row["path"]]}
    with file.open("w", encoding="gb18030", newline="") as handle:  # as a spreadsheet in China saves it
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    answer = CliRunner().invoke(app, ["data", "fix"])
    assert f"{len(found)} added to data/fixes.csv" in answer.stdout
    run_stages()
    samples = pd.read_parquet(layout.INGEST / "samples.parquet").set_index("path")
    assert all(samples["target"][path] == wrong[path] for path in found)
    others = samples.index.difference(found)
    assert (samples["target"][others] == others.str.partition("/").get_level_values(0)).all()
    with (layout.VALIDATE / "fixes.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert not {row["path"] for row in csv.DictReader(handle)} & set(found)


def test_of_digits_with_a_twentieth_flipped_most_doubts_are_right_and_most_flips_are_doubted(
    realdata: Path,
) -> None:
    with gzip.open(realdata / "mnist" / "t10k-images-idx3-ubyte.gz") as handle:
        pictures = np.frombuffer(handle.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)[:5000]
    with gzip.open(realdata / "mnist" / "t10k-labels-idx1-ubyte.gz") as handle:
        right = np.frombuffer(handle.read(), np.uint8, offset=8)[:5000].astype(np.int64)
    thumbs = np.stack([facts.thumbnail(picture) for picture in pictures])
    random = np.random.default_rng(0)
    flips = random.choice(5000, 250, replace=False)
    given = right.copy()
    given[flips] = (right[flips] + random.integers(1, 10, 250)) % 10
    samples = pd.DataFrame(
        {
            "id": [f"{n:032x}" for n in range(5000)],
            "path": [f"{n}.png" for n in range(5000)],
            "target": given.astype(str),
        }
    )
    found = audit(samples, [str(n) for n in range(10)], lambda rows: thumbs[rows.to_numpy()]).table
    doubted = set(found.index[found["doubted"]])
    hits = len(doubted & set(flips.tolist()))
    assert hits / len(doubted) > 0.85
    assert hits / 250 > 0.8
    assert len(set(found.index[:500]) & set(flips.tolist())) / 250 > 0.97
