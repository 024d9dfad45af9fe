"""`convoy monitor` from end to end: kept, compared, labelled; what it says and its exit codes."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from convoy.data.manifest import content_id
from convoy.errors import ConfigError, DataError
from convoy.monitor import watch
from convoy.monitor.verdict import DriftFound
from tests import toys
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy

COUNT = 60


@pytest.fixture
def pictures(project: Project, convoy: Command, tmp_path: Path) -> Path:
    """New pictures of the same kind, down and up in turn; the model is registered."""
    project.change("tracking:", "monitor: {min_samples: 30}\ntracking:")
    project.commit()
    convoy("register")
    folder = tmp_path / "new"
    folder.mkdir()
    for number, pixels in enumerate(toys.images(COUNT, seed=9)):
        Image.fromarray(pixels[:, :, 0]).save(folder / f"{number:02d}.png")
    return folder


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_pictures_of_the_same_kind_are_no_drift(convoy: Command, pictures: Path, project: Project) -> None:
    assert convoy("predict", str(pictures), "--keep").error is None
    answer = convoy("monitor")
    assert answer.error is None
    assert f"ok: {COUNT} predictions are like those of the test in " in answer.out
    assert f"labels not here yet for {COUNT} of {COUNT}" in answer.out
    assert str(project.root / watch.REPORT) in answer.out


def test_drift_is_exit_7_and_json_says_why(convoy: Command, pictures: Path) -> None:
    for path in pictures.iterdir():
        Image.open(path).point(lambda value: value // 3).save(path)
    convoy("predict", str(pictures), "--keep", "--json")
    answer = convoy("monitor", "--json")
    assert isinstance(answer.error, DriftFound)
    assert answer.error.exit_code == 7
    found = json.loads(answer.out)
    assert found["status"] == "drifted"
    assert "brightness" in {m["name"] for m in found["measures"] if m["drifted"]}
    shown = convoy("monitor")
    assert "drift" in shown.out
    assert "brightness" in str(shown.error)


def test_without_keep_nothing_is_kept(convoy: Command, pictures: Path, project: Project) -> None:
    convoy("predict", str(pictures))
    answer = convoy("monitor")
    assert answer.error is None
    assert "too few: 0 predictions are kept, 30 are needed" in answer.out
    assert not (project.root / ".convoy/monitor/kept").exists()


def test_what_is_kept_is_said_to_be_of_what_it_learned_from(
    convoy: Command, pictures: Path, project: Project
) -> None:
    convoy("predict", str(project.root / "data/raw/toy"), "--keep")
    assert json.loads(convoy("monitor", "--json").out)["seen"] == fixtures.SIZES["train"]


def test_labels_that_come_later_tell_how_good_it_is(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    convoy("predict", str(pictures), "--keep")
    names = sorted(pictures.iterdir())
    truth = ["down", "up"] * (COUNT // 2)
    by_id = [
        {"id": content_id(path.read_bytes()), "target": target}
        for path, target in zip(names[:30], truth, strict=False)
    ]
    by_path = [
        {"path": f"new/{path.name}", "target": target}
        for path, target in list(zip(names, truth, strict=True))[30:40]
    ]
    assert (
        "30 of 60 predictions of digits version 1 have a label now"
        in convoy("monitor", "labels", str(table(tmp_path / "a.csv", by_id))).out
    )
    answer = convoy("monitor", "labels", str(table(tmp_path / "b.csv", by_path)), "--json")
    assert json.loads(answer.out) == {"given": 10, "replaced": 0, "predictions": 60, "labelled": 40}
    found = json.loads(convoy("monitor", "--json").out)["performance"]
    assert (found["labelled"], found["of"], found["accuracy"]) == (40, 60, 1.0)
    assert "labels not here yet for 20 of 60" in convoy("monitor").out


def test_a_model_that_labels_prove_worse_is_drift(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    convoy("predict", str(pictures), "--keep")
    wrong = [
        {"id": content_id(path.read_bytes()), "target": ("up", "down")[number % 2]}
        for number, path in enumerate(sorted(pictures.iterdir()))
    ]
    convoy("monitor", "labels", str(table(tmp_path / "wrong.csv", wrong)))
    answer = convoy("monitor")
    assert isinstance(answer.error, DriftFound)
    assert "right in 0.0% of 60 labelled samples, 100.0% in the test" in str(answer.error)
    replaced = [{**row, "target": "up" if row["target"] == "down" else "down"} for row in wrong]
    assert (
        "60 of them replace another one"
        in convoy("monitor", "labels", str(table(tmp_path / "right.csv", replaced))).out
    )
    assert convoy("monitor").error is None


def test_the_unlabelled_are_a_table_to_fill_in(convoy: Command, pictures: Path, tmp_path: Path) -> None:
    convoy("predict", str(pictures), "--keep")
    out = tmp_path / "todo.csv"
    answer = convoy("monitor", "unlabelled", "--limit", "20", "--output", str(out))
    assert "20 of 60 predictions" in answer.out
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["id", "prediction", "confidence", "target"]
    assert "0 labels taken" in convoy("monitor", "labels", str(out)).out  # none is filled in yet
    table(out, [{**row, "target": row["prediction"]} for row in rows])
    assert "20 labels taken" in convoy("monitor", "labels", str(out)).out
    left = json.loads(convoy("monitor", "unlabelled", "--limit", "99", "--json").out)
    assert len(left) == 40
    assert not {row["id"] for row in left} & {row["id"] for row in rows}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,class\na,b\n", "columns `target` and `id`"),
        ("id,target\na,sideways\n", "'sideways' is no class of the model"),
        ("path,target\nnone.png,up\n", "cannot be read"),
    ],
    ids=["columns", "class", "picture"],
)
def test_wrong_labels_are_refused_with_the_line(
    convoy: Command, pictures: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    answer = convoy("monitor", "labels", str(tmp_path / "labels.csv"))
    assert isinstance(answer.error, DataError)
    assert message in str(answer.error)


def test_a_model_of_before_cannot_be_watched_and_says_so(
    convoy: Command, project: Project, pictures: Path
) -> None:
    from convoy.bundle import contents, reference

    bundle = project.root / "artifacts/bundle"
    (bundle / reference.FILE).unlink()
    sums = contents.recorded_sums(bundle)
    assert sums is not None
    del sums[reference.FILE]
    (bundle / contents.SUMS).write_text(contents.render_sums(sums))
    convoy("register")
    answer = convoy("monitor", "--model", "digits/2")
    assert isinstance(answer.error, DataError)
    assert "carries nothing to compare with" in str(answer.error)


def test_a_model_that_is_not_there_is_named(convoy: Command, project: Project) -> None:
    assert isinstance(convoy("monitor").error, ConfigError)


def test_a_folder_outside_of_any_project_has_nowhere_to_keep(
    convoy: Command, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path("artifacts/bundle"), tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    answer = convoy("predict", str(pictures), "--model", str(tmp_path / "bundle"), "--keep")
    assert isinstance(answer.error, ConfigError)
