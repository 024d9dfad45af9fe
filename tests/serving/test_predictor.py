"""The predictor: the same answers from bytes, files and arrays, here and inside the bundle, without torch."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convoy.data.pixels import UndecodableImage
from convoy.registry import bundle as bundles
from convoy.registry import golden
from convoy.serving.predictor import BadBundle, Predictor, softmax
from tests import toys

HEAVY = ("torch", "pandas", "mlflow", "onnx", "scipy", "sklearn")


@pytest.fixture
def folder(workshop: Path) -> Path:
    return workshop / "good" / "bundle"


@pytest.fixture
def pictures(workshop: Path) -> list[Path]:
    return sorted((workshop / "data" / "raw" / "toy").rglob("test *.png"))


def test_bytes_files_and_arrays_give_the_same_answers(folder: Path, pictures: list[Path]) -> None:
    predictor = Predictor(folder)
    from_files = predictor.predict(pictures)
    assert from_files == predictor.predict([path.read_bytes() for path in pictures])
    assert from_files == predictor.predict([predictor.prepare(path) for path in pictures])


def test_the_answers_are_right_and_in_order(folder: Path, pictures: list[Path]) -> None:
    answers = Predictor(folder).predict(pictures, batch_size=5)
    assert [answer["prediction"] for answer in answers] == [path.parent.name for path in pictures]
    assert all(set(answer["probabilities"]) == set(toys.CLASSES) for answer in answers)
    assert np.allclose([sum(answer["probabilities"].values()) for answer in answers], 1.0)


def test_batches_do_not_change_the_answers(folder: Path, pictures: list[Path]) -> None:
    predictor = Predictor(folder)
    one = np.concatenate(list(predictor.probabilities(pictures, batch_size=1)))
    all_ = np.concatenate(list(predictor.probabilities(pictures, batch_size=100)))
    assert np.allclose(one, all_, atol=1e-6)


def test_nothing_gives_nothing(folder: Path) -> None:
    assert Predictor(folder).predict([]) == []


def test_a_broken_picture_is_an_error_of_its_own_kind(folder: Path) -> None:
    with pytest.raises(UndecodableImage):
        Predictor(folder).predict([b"no picture"])


def test_softmax_bears_large_logits() -> None:
    rows = softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32))
    assert np.allclose(rows, [[0.5, 0.5], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: (b / "bundle.json").unlink(), "bundle.json"),
        (lambda b: (b / "bundle.json").write_text("{"), "bundle.json"),
        (lambda b: (b / "bundle.json").write_text('{"version": 99}'), "not of format"),
        (lambda b: (b / "bundle.json").write_text('{"version": 1}'), "lacks classes, preprocessing"),
        (lambda b: (b / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda b: (b / "model.onnx").write_bytes(b"no graph"), "cannot be loaded"),
    ],
)
def test_what_is_no_bundle_is_refused(folder: Path, tmp_path: Path, damage, message) -> None:
    copy = shutil.copytree(folder, tmp_path / "bundle")
    damage(copy)
    with pytest.raises(BadBundle, match=message):
        Predictor(copy)


def test_a_graph_and_a_description_that_contradict_each_other_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(folder, tmp_path / "bundle")
    info = json.loads((copy / "bundle.json").read_text())
    info["preprocessing"]["spec"]["height"] = 13
    (copy / "bundle.json").write_text(json.dumps(info))
    with pytest.raises(BadBundle, match=r"\[13, 12, 1\]"):
        Predictor(copy)


def test_the_bundles_own_program_answers_without_convoy_and_torch(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "bundle")
    blocked = ("convoy", *HEAVY)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nfor n in {blocked!r}: sys.modules[n] = None\n")
    picture = copy / "golden" / "00.png"
    done = subprocess.run(
        [sys.executable, copy / "code" / "predictor.py", picture, tmp_path / "none.png"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "none.png" in done.stderr
    answer = json.loads(done.stdout)
    assert answer == {"path": str(picture), **Predictor(folder).predict([picture])[0]}


def test_the_portable_source_imports_nothing_of_convoy(folder: Path) -> None:
    for name in ("predictor.py", "pixels.py", "pyfunc.py"):
        assert "convoy.data" not in (folder / "code" / name).read_text(encoding="utf-8")
        assert "from convoy" not in (folder / "code" / name).read_text(encoding="utf-8")
    assert "\nimport pixels\n" in (folder / "code" / "predictor.py").read_text(encoding="utf-8")


def test_a_predictor_that_imports_its_pixels_otherwise_is_not_shipped() -> None:
    with pytest.raises(AssertionError):
        bundles.portable_source("import convoy.data.pixels\n")


def test_importing_the_predictor_imports_nothing_heavy() -> None:
    script = f"import sys, convoy.serving.predictor; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_golden_samples_come_out_as_torch_said(folder: Path) -> None:
    samples = golden.read(folder)
    answers = Predictor(folder).predict([sample["content"] for sample in samples])
    golden.check(samples, [answer["probabilities"] for answer in answers], toys.CLASSES, "ONNX")
