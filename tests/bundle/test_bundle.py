"""The bundle: equal bytes anywhere, right answers, nothing of the place where it was made."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from convoy import io
from convoy.bundle import build as bundle
from convoy.bundle import contents, golden, onnx_export
from convoy.bundle.packing import image
from convoy.data.store import Store
from convoy.errors import IntegrityError
from convoy.serving import outputs
from convoy.serving.outputs.classification import softmax
from convoy.serving.predictor import Predictor
from convoy.stages.package import package
from convoy.training import network


def _package(source: Path, out: Path) -> None:
    package(
        source / "good" / "train", source / "good" / "evaluate", source / "shared" / "prepare",
        source / "shared" / "split", out, environment_lock=source / "none",
    )  # fmt: skip


def test_two_builds_in_different_folders_give_the_same_bytes(workshop: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "deep"
    shutil.copytree(workshop, copy)
    script = (
        "import sys; from pathlib import Path; from tests.bundle.test_bundle import _package; "
        "_package(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", script, copy, copy / "out"], check=True)
    assert io.sha256_tree(copy / "out") == io.sha256_tree(workshop / "good" / "bundle")


def test_a_bundle_is_complete_and_names_its_parts(workshop: Path) -> None:
    info = contents.info(workshop / "good" / "bundle")
    assert info["name"] == "lenet5"
    assert info["classes"] == ["down", "up"]
    assert info["preprocessing"]["spec"]["height"] == 12
    assert set(info["params"]) == {"model", "objective", "train"}
    assert info["metrics"]["test"]["accuracy"] == 1.0
    assert info["provenance"]["key"] == "key-of-good"
    assert info["provenance"]["environment_lock"] is None


def test_the_bundles_digest_is_that_of_its_files_without_bytecode(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop / "good" / "bundle", tmp_path / "bundle")
    assert contents.digest(copy) == io.sha256_tree(copy)
    (copy / "code" / "__pycache__").mkdir()
    (copy / "code" / "__pycache__" / "pixels.pyc").write_bytes(b"x")
    assert contents.digest(copy) == contents.digest(workshop / "good" / "bundle")


def test_the_checksums_are_what_sha256sum_reads(workshop: Path) -> None:
    folder = workshop / "good" / "bundle"
    lines = (folder / contents.SUMS).read_text().splitlines()
    names = [line[66:] for line in lines]
    assert names == sorted(name for name in contents.files(folder) if name != contents.SUMS)
    assert contents.recorded_sums(folder) == {
        name: value for name, value in contents.sha256s(folder).items() if name != contents.SUMS
    }
    tool = shutil.which("sha256sum")
    if tool is not None:
        done = subprocess.run([tool, "--check", "--strict", contents.SUMS], cwd=folder, check=False)
        assert done.returncode == 0
    contents.check(folder)


def test_an_altered_a_missing_and_an_additional_file_are_named(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop / "good" / "bundle", tmp_path / "bundle")
    (copy / "model_card.md").write_text("better than it is")
    (copy / "golden" / "00.png").unlink()
    (copy / "more.txt").touch()
    (copy / "code" / "__pycache__").mkdir()
    (copy / "code" / "__pycache__" / "pixels.pyc").write_bytes(b"x")
    said = "golden/00.png is missing, more.txt does not belong to it, model_card.md was altered"
    with pytest.raises(IntegrityError, match=said) as caught:
        contents.check(copy)
    assert caught.value.where == str(copy / "golden" / "00.png")


def test_a_damaged_list_of_checksums_is_no_list(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop / "good" / "bundle", tmp_path / "bundle")
    for text in ("", "no checksum\n"):
        (copy / contents.SUMS).write_text(text)
        with pytest.raises(IntegrityError, match="SHA256SUMS: the list of checksums is damaged"):
            contents.check(copy)
    (copy / contents.SUMS).unlink()  # as in bundles of before
    contents.check(copy)
    assert contents.recorded_sums(copy) is None


def test_a_link_that_leads_out_of_the_bundle_is_refused(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop / "good" / "bundle", tmp_path / "bundle")
    outside = (copy / "model.onnx").rename(tmp_path / "model.onnx")
    (copy / "model.onnx").symlink_to(outside)
    assert contents.digest(copy) == contents.digest(workshop / "good" / "bundle")
    with pytest.raises(IntegrityError, match=r"leads out of it: model\.onnx"):
        contents.check(copy)
    (copy / "model.onnx").unlink()
    shutil.copy(outside, copy / "model.onnx")
    (copy / "golden" / "link").symlink_to("00.png")
    assert contents.leaving(copy) == []


def test_temperature_and_thresholds_of_the_evaluation_are_in_the_bundle(
    workshop: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(workshop, tmp_path / "workshop")
    evaluated = copy / "good" / "evaluate"
    thresholds = {
        name: {"threshold": 0.25, "precision": 1.0, "recall": 1.0, "f1": 1.0} for name in ("down", "up")
    }
    io.write_json(
        evaluated / "calibration.json",
        {"method": "temperature", "temperature": 2.5, "thresholds": thresholds},
    )
    (evaluated / "slices.csv").write_text(
        "slice,samples,accuracy,low,high,difference\nclass 上,20,0.5,0.3,0.7,-0.25\n"
    )
    metrics = io.read_json(evaluated / "metrics.json")
    baseline = {"majority_accuracy": 0.5, "name": "hog_linear", "accuracy": 0.75, "macro_f1": 0.7,
                "difference": 0.25, "interval": [0.125, 0.375]}  # fmt: skip
    io.write_json(evaluated / "metrics.json", {**metrics, "baseline": baseline})
    _package(copy, tmp_path / "bundle")
    info = contents.info(tmp_path / "bundle")
    assert info["calibration"] == {"method": "temperature", "temperature": 2.5}
    assert info["thresholds"] == {"down": 0.25, "up": 0.25}
    softer = [max(s["probabilities"]) for s in golden.read(tmp_path / "bundle")]
    sharper = [max(s["probabilities"]) for s in golden.read(workshop / "good" / "bundle")]
    logit = [np.log(p / (1 - p)) for p in sharper]
    assert np.allclose(softer, [1 / (1 + np.exp(-x / 2.5)) for x in logit], atol=1e-4)
    bundle.check_parity(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "model.onnx").read_bytes() == (
        workshop / "good" / "bundle" / "model.onnx"
    ).read_bytes()
    card = (tmp_path / "bundle" / "model_card.md").read_text(encoding="utf-8")
    for part in ("temperature 2.5000", "T = 2.5000", "`thresholds`", "| class 上 | 20 | 0.5000 | -0.2500 |",
                 "`hog_linear`", "+0.2500 [+0.1250, +0.3750]"):  # fmt: skip
        assert part in card


def test_without_calibration_the_temperature_is_one(workshop: Path) -> None:
    info = contents.info(workshop / "good" / "bundle")
    assert info["calibration"] == {"method": "none", "temperature": 1.0}
    assert info["thresholds"] == {}
    card = (workshop / "good" / "bundle" / "model_card.md").read_text(encoding="utf-8")
    assert "not calibrated" in card
    assert "概率未经校准" in card


def test_nothing_in_a_bundle_tells_where_it_was_made(workshop: Path) -> None:
    places = [str(workshop).encode(), str(Path(bundle.__file__).parents[2]).encode(), b"site-packages"]
    for path in (workshop / "good" / "bundle").rglob("*"):
        if path.is_file():
            assert not [place for place in places if place in path.read_bytes()], path


def test_the_graph_holds_no_notes_of_the_exporter(workshop: Path) -> None:
    graph = onnx.load(workshop / "good" / "bundle" / "model.onnx")
    assert not graph.metadata_props
    assert not graph.graph.metadata_props
    assert not [node.name for node in graph.graph.node if node.metadata_props or node.doc_string]
    assert [i.name for i in graph.graph.input] == ["images"]
    assert [o.name for o in graph.graph.output] == [onnx_export.OUTPUT]


def test_the_number_of_pictures_is_free(workshop: Path) -> None:
    predictor = Predictor(workshop / "good" / "bundle")
    for count in (0, 1, 2, 7):
        assert predictor.logits(np.zeros((count, 12, 12, 1), np.uint8)).shape == (count, 2)


def test_the_samples_table_knows_every_sample_and_its_split(workshop: Path) -> None:
    samples = pd.read_parquet(workshop / "good" / "bundle" / "samples.parquet")
    assert samples.columns.tolist() == ["id", "split", "target"]
    assert samples["split"].value_counts().to_dict() == {"train": 40, "val": 8, "test": 24}


def test_golden_samples_spread_over_the_classes() -> None:
    target = np.array([0] * 50 + [1] * 3 + [2] * 50)
    chosen = golden.choose(target, 10)
    assert np.bincount(target[chosen]).tolist() == [4, 3, 3]
    assert len(golden.choose(target[:4])) == 4


def test_golden_probabilities_are_torchs(workshop: Path) -> None:
    samples = golden.read(workshop / "good" / "bundle")
    prepared = workshop / "shared" / "prepare"
    model = network.load(workshop / "good" / "train", io.read_json(prepared / "preprocessor.json"))
    test = Store.open(prepared / "test")
    rows = {name.decode(): n for n, name in enumerate(test.id.tolist())}
    expected = softmax(bundle.torch_outputs(model, test.images[[rows[s["id"]] for s in samples]]))
    assert np.allclose([s["probabilities"] for s in samples], expected, atol=1e-7)


def test_a_wrong_graph_is_refused_by_the_name_of_a_sample(
    workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = (workshop / "poor" / "bundle" / "model.onnx").read_bytes()
    monkeypatch.setattr(onnx_export, "export", lambda network, shape: wrong)
    with pytest.raises(IntegrityError, match="ONNX and torch disagree") as caught:
        _package(workshop, tmp_path / "bundle")
    known = {sample["id"] for sample in golden.read(workshop / "good" / "bundle")}
    assert any(name in caught.value.where for name in known)
    assert not (tmp_path / "bundle" / "bundle.json").exists()


def test_an_answer_that_is_not_a_number_is_no_agreement() -> None:
    samples = [{"id": "a", "file": "00.png", "target": "up", "probabilities": [0.5, 0.5]}]
    with pytest.raises(IntegrityError):
        golden.check(samples, [np.array([np.nan, 0.5])], outputs.of({"classes": ["down", "up"]}), "ONNX")


def test_an_incomplete_bundle_is_refused(workshop: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(workshop / "good" / "bundle", tmp_path / "bundle")
    (copy / "model.onnx").unlink()
    with pytest.raises(IntegrityError, match=r"model\.onnx missing"):
        contents.info(copy)


def test_the_card_tells_in_english_and_chinese(workshop: Path) -> None:
    card = (workshop / "good" / "bundle" / "model_card.md").read_text(encoding="utf-8")
    for part in ("# lenet5, 2 classes", "## Data", "## Use and limits", "## 中文摘要", "准确率", "1.0000"):
        assert part in card
    assert "0.9000 – 1.0000" in card


def test_requirements_are_pinned(workshop: Path) -> None:
    lines = (workshop / "good" / "bundle" / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in lines] == list(image.requirements({}))
    assert all("==" in line for line in lines)


def test_bundle_json_holds_only_what_equal_builds_share(workshop: Path) -> None:
    text = json.dumps(contents.info(workshop / "good" / "bundle"))
    for word in ("commit", "hostname", "dvc_lock", "cpu_model"):
        assert word not in text
