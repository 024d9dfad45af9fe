import csv
from pathlib import Path
from typing import Any

import pytest

from convoy import io
from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import manifest
from convoy.errors import DataError, IntegrityError
from convoy.stages.ingest import ingest
from convoy.stages.validate import validate
from tests.data.pictures import bomb, encoded, gradient, write_folder, write_idx


def run(root: Path, *, source: str = "image_folder", **how: Any) -> Path:
    """Ingest and validate `root`/data; the folder that validate wrote."""
    data = DataConfig(source=source, path=str(root / "data"))  # type: ignore[arg-type]
    ingest(data, out=root / "ingest")
    settings = {"max_bad_fraction": 0.5, "max_pixels": 1_000_000, "min_per_class": 3, **how}
    validate(root / "ingest", data, ValidateConfig(**settings), out=root / "validate")
    return root / "validate"


def quarantine(out: Path) -> dict[str, tuple[str, str]]:
    with (out / "quarantine.csv").open(encoding="utf-8", newline="") as handle:
        return {row["path"]: (row["reason"], row["detail"]) for row in csv.DictReader(handle)}


def test_sound_data_pass_whole_with_their_facts(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 4, "dog": 3}, "jpg")
    out = run(tmp_path, max_bad_fraction=0.0)
    samples = manifest.read(out)
    assert len(samples) == 7
    assert set(samples["width"]) == {16}
    assert set(samples["mode"]) == {"RGB"}
    assert samples["bytes"][0] == (tmp_path / "data/cat/000.jpg").stat().st_size
    report = io.read_json(out / "report.json")
    assert report["kept"] == 7
    assert report["quarantined"] == 0
    assert report["classes"] == ["cat", "dog"]
    assert report["per_class"]["cat"] == {"kept": 4, "quarantined": 0}
    assert report["sizes"]["height"] == {"min": 12, "max": 12}
    assert quarantine(out) == {}


def test_rows_of_idx_files_pass(tmp_path: Path) -> None:
    write_idx(tmp_path / "data", 12)
    assert len(manifest.read(run(tmp_path, source="idx"))) == 12


def damage(data: Path) -> None:
    whole = encoded(gradient(40, 40), "JPEG")
    (data / "cat/zero.png").write_bytes(b"")
    (data / "cat/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (data / "dog/text, really.jpg").write_text("this is text\n", encoding="utf-8")
    (data / "dog/huge.png").write_bytes(bomb())
    (data / "dog/copy.png").write_bytes((data / "dog/000.png").read_bytes())
    for name in ("cat/both.png", "dog/both.png"):
        (data / name).write_bytes(encoded(gradient(9, 9)))


def test_bad_samples_are_quarantined_by_name_with_reasons(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data", {"cat": 5, "dog": 5})
    damage(tmp_path / "data")
    out = run(tmp_path)
    found = quarantine(out)
    assert {path: reason for path, (reason, _) in found.items()} == {
        "cat/cut.jpg": "undecodable",
        "cat/zero.png": "empty",
        "dog/huge.png": "oversized",
        "dog/text, really.jpg": "undecodable",
        "cat/both.png": "conflict",
        "dog/both.png": "conflict",
        "dog/copy.png": "duplicate",
    }
    assert capfd.readouterr().err == ""
    report = io.read_json(out / "report.json")
    assert report["reasons"] == {"undecodable": 2, "empty": 1, "oversized": 1, "conflict": 2, "duplicate": 1}
    assert report["samples"] == 17
    assert report["kept"] == 10
    assert report["per_class"]["cat"] == {"kept": 5, "quarantined": 3}


def test_too_many_bad_samples_stop_the_run_after_the_report_is_written(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 12, "dog": 12})
    for number in range(12):
        (tmp_path / f"data/cat/bad{number:02}.png").write_bytes(bytes([number]) * 50)
    with pytest.raises(DataError, match=r"12 of 36 samples are bad \(33\.3%\)") as error:
        run(tmp_path, max_bad_fraction=0.2)
    assert error.value.exit_code == 3
    assert "cat/bad09.png" in error.value.what
    assert "cat/bad10.png" not in error.value.what
    assert "and 2 more" in error.value.what
    assert error.value.where.endswith("report.json")
    report = io.read_json(tmp_path / "validate/report.json")
    assert report["quarantined"] == 12
    assert report["problems"]
    assert len(quarantine(tmp_path / "validate")) == 12
    assert not (tmp_path / "validate/samples.parquet").exists()


def test_the_bound_itself_is_allowed(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 4, "dog": 4})
    for number in range(2):
        (tmp_path / f"data/cat/bad{number}.png").write_bytes(bytes([number]) * 50)
    assert len(manifest.read(run(tmp_path, max_bad_fraction=0.2))) == 8


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"cat": 5}, "single class"),
        ({"cat": 5, "dog": 0}, "'dog' is empty"),
        ({"cat": 5, "dog": 1}, "'dog' has 1 good sample"),
    ],
)
def test_classes_that_cannot_be_learned_stop_the_run(
    tmp_path: Path, classes: dict[str, int], message: str
) -> None:
    write_folder(tmp_path / "data", classes)
    with pytest.raises(DataError, match=message):
        run(tmp_path)
    assert (tmp_path / "validate/report.json").exists()


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 0})
    (tmp_path / "data/cat/bad.png").write_bytes(b"bad")
    with pytest.raises(DataError) as error:
        run(tmp_path, max_bad_fraction=0.0)
    assert len(io.read_json(tmp_path / "validate/report.json")["problems"]) == 3
    assert "'cat' has 1 good sample" in error.value.what


def test_data_that_are_all_bad_are_reported(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        (tmp_path / "data" / kind / "bad.png").write_bytes(kind.encode())
    with pytest.raises(DataError, match="2 of 2"):
        run(tmp_path)
    assert io.read_json(tmp_path / "validate/report.json")["kept"] == 0


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        write_folder(tmp_path / place / "data", {"cat": 5, "dog": 5})
        damage(tmp_path / place / "data")
        run(tmp_path / place)
    assert io.sha256_tree(tmp_path / "one/validate") == io.sha256_tree(tmp_path / "two/validate")


def test_a_failed_run_leaves_no_table_of_an_earlier_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 4, "dog": 4})
    run(tmp_path)
    (tmp_path / "data/cat/bad.png").write_bytes(b"bad")
    with pytest.raises(DataError):
        run(tmp_path, max_bad_fraction=0.0)
    assert not (tmp_path / "validate/samples.parquet").exists()


def test_a_missing_ingest_is_an_integrity_error(tmp_path: Path) -> None:
    settings = ValidateConfig(max_bad_fraction=0.1, max_pixels=100, min_per_class=3)
    with pytest.raises(IntegrityError):
        validate(
            tmp_path / "ingest", DataConfig(source="idx", path="data"), settings, out=tmp_path / "validate"
        )
