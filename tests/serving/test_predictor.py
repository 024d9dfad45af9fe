"""The predictor: the same answers from bytes, files and arrays, here and inside the bundle, without torch."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convoy.bundle import build as bundles
from convoy.bundle import golden
from convoy.data.pixels import UndecodableImage
from convoy.serving.outputs.classification import softmax
from convoy.serving.predictor import BadBundle, Predictor
from tests import toys

HEAVY = ("torch", "pandas", "mlflow", "onnx", "scipy", "sklearn")


def plain_environment() -> dict[str, str]:
    """One in which Python writes bytecode, as it does by itself."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def with_calibration(bundle: Path, copy: Path, calibration: object) -> Path:
    """A copy of a bundle whose bundle.json says so."""
    shutil.copytree(bundle, copy)
    info = json.loads((copy / "bundle.json").read_text())
    info.pop("calibration", None)
    if calibration is not None:
        info["calibration"] = calibration
    (copy / "bundle.json").write_text(json.dumps(info))
    return copy


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
    one = np.concatenate(list(predictor.rows(pictures, batch_size=1)))
    all_ = np.concatenate(list(predictor.rows(pictures, batch_size=100)))
    assert np.allclose(one, all_, atol=1e-6)


def test_nothing_gives_nothing(folder: Path) -> None:
    assert Predictor(folder).predict([]) == []


def test_a_broken_picture_is_an_error_of_its_own_kind(folder: Path) -> None:
    with pytest.raises(UndecodableImage):
        Predictor(folder).predict([b"no picture"])


def test_logits_are_divided_by_the_temperature(folder: Path, pictures: list[Path], tmp_path: Path) -> None:
    hot = Predictor(with_calibration(folder, tmp_path / "hot", {"method": "temperature", "temperature": 4.0}))
    images = np.stack([hot.prepare(path) for path in pictures])
    expected = softmax(Predictor(folder).logits(images) / np.float32(4.0))
    assert np.allclose(hot.decode(images), expected, atol=1e-6)
    assert np.allclose(np.concatenate(list(hot.rows(pictures))), expected, atol=1e-6)
    assert [answer["prediction"] for answer in hot.predict(pictures)] == [p.parent.name for p in pictures]


def test_bundles_from_before_calibration_are_taken_as_they_are(folder: Path, tmp_path: Path) -> None:
    assert Predictor(with_calibration(folder, tmp_path / "old", None)).output.temperature == 1.0


@pytest.mark.parametrize("temperature", [0, -1.0, "2", None, float("inf")])
def test_a_temperature_that_is_none_is_refused(folder: Path, tmp_path: Path, temperature: object) -> None:
    with pytest.raises(BadBundle, match="temperature"):
        Predictor(with_calibration(folder, tmp_path / "bad", {"temperature": temperature}))


def test_threads_do_not_change_the_answers(folder: Path, pictures: list[Path]) -> None:
    one, two = (Predictor(folder, threads=n) for n in (1, 2))
    images = np.stack([one.prepare(path) for path in pictures])
    assert np.allclose(one.decode(images), two.decode(images), atol=1e-6)


def test_a_heat_map_lies_between_0_and_1_and_has_the_prepared_pictures_size(
    folder: Path, pictures: list[Path]
) -> None:
    for path in pictures:
        heat = Predictor(folder).heatmap(path)
        assert heat.shape == (12, 12)
        assert heat.min() >= 0
        assert heat.max() == 1


def test_a_heat_map_finds_the_one_spot_that_matters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that looks at one corner only: everything else is cold."""
    predictor = Predictor(folder)
    image = np.zeros((12, 12, 1), np.uint8)
    image[1:3, 1:3] = 200

    def corner(images: np.ndarray) -> np.ndarray:
        brightness = images[:, 1:3, 1:3, 0].mean(axis=(1, 2)).astype(np.float32)
        return np.stack([brightness / 50, np.zeros_like(brightness)], axis=1)

    monkeypatch.setattr(predictor, "logits", corner)
    heat = predictor.heatmap(image)
    assert np.unravel_index(heat.argmax(), heat.shape)[0] < 4
    assert heat[:4, :4].max() == 1
    assert heat[6:, :].max() == heat[:, 6:].max() == 0


def test_a_heat_map_asks_the_network_a_bounded_number_of_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, seen = Predictor(folder), []

    def count(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return np.zeros((len(images), 2), np.float32)

    monkeypatch.setattr(predictor, "logits", count)
    monkeypatch.setattr(predictor, "prepare", lambda content: content)
    for shape in ((12, 12, 1), (640, 480, 3), (1, 3, 1)):
        seen.clear()
        assert not predictor.heatmap(np.zeros(shape, np.uint8)).any()
        assert sum(seen) <= 145
        assert max(seen) <= 32


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
    before = sorted(copy.rglob("*"))
    done = subprocess.run(
        [sys.executable, copy / "code" / "predictor.py", picture, tmp_path / "none.png"],
        env={**plain_environment(), "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "none.png" in done.stderr
    assert sorted(copy.rglob("*")) == before
    answer = json.loads(done.stdout)
    assert answer == {"path": str(picture), **Predictor(folder).predict([picture])[0]}


def test_the_portable_source_imports_nothing_of_convoy(folder: Path) -> None:
    for name in ("predictor.py", "inputs.py", "pixels.py", "pyfunc.py"):
        assert "convoy.data" not in (folder / "code" / name).read_text(encoding="utf-8")
        assert "from convoy" not in (folder / "code" / name).read_text(encoding="utf-8")
    assert "\nimport inputs\n" in (folder / "code" / "predictor.py").read_text(encoding="utf-8")
    assert "\nimport pixels\n" in (folder / "code" / "inputs.py").read_text(encoding="utf-8")


def test_a_predictor_that_imports_its_pixels_otherwise_is_not_shipped() -> None:
    with pytest.raises(AssertionError):
        bundles.portable_source(
            "import convoy.data.pixels\n", {"from convoy.data import pixels": "import pixels"}
        )


def test_importing_the_predictor_imports_nothing_heavy() -> None:
    script = f"import sys, convoy.serving.predictor; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_golden_samples_come_out_as_torch_said(folder: Path) -> None:
    samples = golden.read(folder)
    predictor = Predictor(folder)
    answers = predictor.rows([sample["content"] for sample in samples])
    golden.check(samples, [row for rows in answers for row in rows], predictor.output, "ONNX")
