"""`convoy data` in a project of striped pictures, some of them wrongly labelled."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from convoy import io, layout
from convoy.config.load import load
from convoy.data import fixes
from convoy.errors import ConfigError, DataError, IntegrityError
from convoy.stages.ingest import ingest
from convoy.stages.split import split
from convoy.stages.validate import validate
from tests.data.labels.toys import CLASSES, flipped, stripes, truth
from tests.evaluation.reporting import Page
from tests.registry import fixtures
from tests.registry.fixtures import PARAMS, Command

convoy = fixtures.convoy
COUNT = 90
WRONG = [3, 40, 77]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures in class folders, 3 wrongly labelled and 1 truncated, after the first stages."""
    root = tmp_path / "项目"
    codes = truth(COUNT)
    pictures = stripes(codes)
    for row, code in enumerate(flipped(codes, WRONG)):
        path = root / "data" / "raw" / "toy" / CLASSES[code] / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures[row]).save(path)
    whole = (root / "data/raw/toy/down/01.png").read_bytes()
    (root / "data/raw/toy/down/cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "params.yaml").write_text(
        PARAMS.replace("max_bad_fraction: 0.0", "max_bad_fraction: 0.1"), encoding="utf-8"
    )
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    monkeypatch.chdir(root)
    run_stages()
    return root


def run_stages() -> None:
    config = load(Path("params.yaml"))
    ingest(config.data, out=layout.INGEST)
    validate(layout.INGEST, config.data, config.validation, out=layout.VALIDATE)
    split(layout.VALIDATE, config.split, out=layout.SPLIT)


def decide(choose: Callable[[dict[str, str]], dict[str, str]], file: Path = Path("mine.csv")) -> Path:
    """A copy of the suggestions with changed cells."""
    with (layout.VALIDATE / "fixes.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with file.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows({**row, **choose(row)} for row in rows)
    return file


def number(path: str) -> int:
    return int(Path(path).stem)


def relabel_wrong(row: dict[str, str]) -> dict[str, str]:
    if number(row["path"]) in WRONG:
        return {"action": "relabel", "suggested": CLASSES[number(row["path"]) % 3]}
    return {}


def labels() -> dict[int, str]:
    samples = pd.read_parquet(layout.INGEST / "samples.parquet")
    return {number(p): t for p, t in zip(samples["path"], samples["target"], strict=True) if "cut" not in p}


def test_from_the_suggestions_to_right_labels(project: Path, convoy: Command) -> None:
    answer = convoy("data", "fix", decide(relabel_wrong))
    assert "3 added to data/fixes.csv" in answer.out
    assert "`convoy run` applies them" in answer.out
    assert "slanting" in answer.out
    run_stages()
    assert labels() == {row: CLASSES[row % 3] for row in range(COUNT)}
    report = json.loads(convoy("data", "report", "--json").out)
    assert not [finding for finding in report["findings"] if finding["check"] == "label_issues"]
    again = convoy("data", "fix", "mine.csv")
    assert "0 added to data/fixes.csv, 3 stood there already" in again.out


def test_the_default_table_is_that_of_the_gate_and_undecided_rows_change_nothing(
    project: Path, convoy: Command
) -> None:
    answer = convoy("data", "fix")
    assert "artifacts/validate/fixes.csv: no row has an action" in answer.out
    assert not (project / layout.FIXES).exists()
    decide(relabel_wrong, layout.VALIDATE / "fixes.csv")
    assert "3 added" in convoy("data", "fix").out


def test_one_wrong_row_and_nothing_is_written(project: Path, convoy: Command) -> None:
    def careless(row: dict[str, str]) -> dict[str, str]:
        return {**relabel_wrong(row), **({"suggested": "sideways"} if number(row["path"]) == 40 else {})}

    answer = convoy("data", "fix", decide(careless))
    assert isinstance(answer.error, DataError)
    assert "no class is called 'sideways'" in str(answer.error)
    assert not (project / layout.FIXES).exists()


def test_kept_labels_are_not_asked_about_again(project: Path, convoy: Command) -> None:
    convoy("data", "fix", decide(lambda row: {"action": "keep"} if number(row["path"]) == 3 else {}))
    run_stages()
    report = json.loads(convoy("data", "report", "--check", "label_issues", "--json").out)
    assert {number(finding["path"]) for finding in report["findings"]} == {40, 77}
    assert labels()[3] == "down"


def test_samples_are_dropped_and_taken_back(project: Path, convoy: Command) -> None:
    answer = convoy("data", "drop", "data/raw/toy/down/cut.png", "down/01.png")
    assert "2 added to data/fixes.csv" in answer.out
    before = (project / layout.FIXES).read_bytes()
    convoy("data", "drop", "down/01.png")
    assert (project / layout.FIXES).read_bytes() == before
    run_stages()
    report = json.loads(convoy("data", "report", "--json").out)
    assert report["summary"]["samples"] == COUNT - 1
    assert not [finding for finding in report["findings"] if finding["check"] == "unreadable"]
    assert "1 taken back" in convoy("data", "fix", "--undo", "down/01.png").out
    assert [fix.path for fix in fixes.read(project / layout.FIXES)] == ["down/cut.png"]
    assert isinstance(convoy("data", "fix", "--undo", "down/01.png").error, DataError)
    assert isinstance(convoy("data", "fix", "mine.csv", "--undo", "x").error, ConfigError)
    wrong = convoy("data", "drop", "dwn/04.png")
    assert isinstance(wrong.error, DataError)
    assert "did you mean 'down/04.png'" in str(wrong.error)


def test_commands_work_from_a_folder_below(
    project: Path, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = decide(relabel_wrong)
    monkeypatch.chdir(project / "data/raw/toy/down")
    assert "1 added" in convoy("data", "drop", "cut.png").out
    assert "3 added" in convoy("data", "fix", project / file).out
    assert (project / layout.FIXES).is_file()


def test_the_report_counts_by_check_and_names_its_page(project: Path, convoy: Command) -> None:
    out = convoy("data", "report").out
    for part in ("unreadable", "quarantine", "truncated", "down/cut.png", "label_issues", "warn",
                 "the data pass: 91 samples, 90 kept", "artifacts/validate/report.html"):  # fmt: skip
        assert part in out, part
    assert "label_issues" not in convoy("data", "report", "--check", "unreadable").out
    assert isinstance(convoy("data", "report", "--check", "labelissues").error, ConfigError)
    report = json.loads(convoy("data", "report", "--json").out)
    assert report["passed"] is True
    assert report["pages"]["report.html"] == "artifacts/validate/report.html"


def test_data_that_do_not_pass_are_reported_too(project: Path, convoy: Command) -> None:
    params = Path("params.yaml")
    params.write_text(
        params.read_text(encoding="utf-8").replace("max_bad_fraction: 0.1", "max_bad_fraction: 0.0"),
        encoding="utf-8",
    )
    with pytest.raises(DataError):
        run_stages()
    out = convoy("data", "report").out
    assert "the data do not pass" in out
    assert "max_bad_fraction" in out
    assert json.loads(convoy("data", "report", "--json").out)["passed"] is False


def test_without_a_run_the_stage_to_run_is_named(project: Path, convoy: Command) -> None:
    io.fresh_dir(layout.VALIDATE)
    assert isinstance(convoy("data", "report").error, IntegrityError)
    assert isinstance(convoy("data", "gallery", "--check", "blank").error, IntegrityError)
    io.fresh_dir(layout.INGEST)
    for command in (["fix", "mine.csv"], ["drop", "x"]):
        assert isinstance(convoy("data", *command).error, IntegrityError)


def gallery(convoy: Command, *arguments: str) -> tuple[Page, dict[str, Any]]:
    answer = convoy("data", "gallery", *arguments, "--json")
    assert answer.error is None
    found = json.loads(answer.out)
    return Page(Path(found["page"]).read_text(encoding="utf-8")), found


def test_the_gallery_shows_some_of_each_class(project: Path, convoy: Command) -> None:
    page, found = gallery(convoy, "--most", "4")
    assert found["page"] == ".convoy/gallery.html"
    assert [sample["group"] for sample in found["samples"]] == sorted(CLASSES * 4)
    assert len(page.all("img")) == 12
    assert all(name in page.text() for name in CLASSES)


def test_the_gallery_goes_by_split_and_by_what_a_check_found(project: Path, convoy: Command) -> None:
    _, by_split = gallery(convoy, "--by", "split", "--class", "down")
    assert {sample["group"] for sample in by_split["samples"]} == {"train", "val", "test"}
    assert {sample["target"] for sample in by_split["samples"]} == {"down"}
    page, doubted = gallery(convoy, "--check", "label_issues")
    assert {number(sample["path"]) for sample in doubted["samples"]} == set(WRONG)
    assert "looks like" in page.text()
    page, cut = gallery(convoy, "--by", "check")
    assert {sample["group"] for sample in cut["samples"]} == {"unreadable", "label_issues"}
    assert len(page.all("img")) == 3  # one does not open
    _, one = gallery(convoy, "--split", "test", "--class", "down", "--out", "here.html")
    assert one["page"] == "here.html"
    assert one["samples"]


def test_an_empty_choice_names_what_there_is(project: Path, convoy: Command) -> None:
    for arguments, said in (
        (["--class", "up"], "there are: across, down, slanting"),
        (["--split", "valid"], "there are: test, train, val"),
        (["--check", "blank"], "there are: label_issues, unreadable"),
    ):
        answer = convoy("data", "gallery", *arguments)
        assert isinstance(answer.error, DataError)
        assert said in str(answer.error)


def test_a_folder_is_packed_and_the_next_steps_are_said(project: Path, convoy: Command) -> None:
    answer = convoy("data", "pack", "data/raw/toy")
    assert "data/raw/toy-shards: 1 shard" in answer.out
    assert "dvc add data/raw/toy-shards, and set data.path: data/raw/toy-shards" in answer.out
    assert (project / "data/raw/toy-shards/00000.tar").is_file()
    assert isinstance(convoy("data", "pack", "data/raw/toy").error, DataError)


def test_known_data_sets_are_named_where_the_name_is_wrong(project: Path, convoy: Command) -> None:
    answer = convoy("data", "get", "cifar")
    assert isinstance(answer.error, ConfigError)
    assert "mnist5k, " in answer.error.fix
    assert "CIFAR10" in answer.error.fix


def test_named_sets_go_below_data_raw_or_where_the_parameters_have_them(
    project: Path, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convoy.data import downloads

    asked: list[tuple[str, Path]] = []

    def fetched(dataset: str, folder: Path, **_: object) -> Path:
        asked.append((dataset, folder))
        return folder / "raw"

    monkeypatch.setattr(downloads, "get", fetched)
    assert "KMNIST: data/raw/KMNIST/raw" in convoy("data", "get", "KMNIST").out
    convoy("data", "get", "KMNIST", "--into", "elsewhere")
    params = Path("params.yaml")
    text = params.read_text(encoding="utf-8")
    own = "data: {source: named, dataset: KMNIST, path: data/here}"
    params.write_text(text.replace("data: {source: image_folder, path: data/raw/toy}", own), encoding="utf-8")
    convoy("data", "get", "KMNIST")
    assert [folder for _, folder in asked] == [
        project / "data/raw/KMNIST", Path("elsewhere"), project / "data/here",
    ]  # fmt: skip
    assert np.unique([name for name, _ in asked]).tolist() == ["KMNIST"]
