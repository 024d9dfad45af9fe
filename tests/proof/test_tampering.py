"""Bundles and parameters that somebody prepared: refused by exit code, and nothing of them is executed."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from convoy import layout
from convoy.bundle import contents
from convoy.config.load import load
from convoy.errors import ConfigError, IntegrityError
from convoy.proof import verify_versions
from convoy.registry import lookup, register, tracking
from convoy.serving.predictor import BadBundle, Predictor
from convoy.training import network
from tests.registry.fixtures import Command, Project, convoy

__all__ = ["convoy"]


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture
def trap(marker: Path) -> bytes:
    """A pickle that works: where it is loaded, the marker appears."""
    content = pickle.dumps(Trap(marker))
    pickle.loads(content)
    assert marker.is_dir()
    marker.rmdir()
    return content


@pytest.fixture
def registered(project: Project) -> Path:
    """The bundle of version 1 of digits, where the artifact store keeps it."""
    register.register(project.root, project.config, tracking.sync(project.root, project.config))
    return lookup.fetch(project.client, "digits/1", project.root)


def test_a_changed_byte_is_refused_before_anything_is_loaded(
    registered: Path, convoy: Command, project: Project
) -> None:
    path = registered / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    error = convoy("predict", "data", "--model", "digits/1").error
    assert isinstance(error, IntegrityError)
    assert error.exit_code == 4
    with pytest.raises(IntegrityError, match=r"model\.onnx was altered"):
        contents.check(registered)


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "bundle.json", "samples.parquet"])
def test_a_pickle_in_the_place_of_a_file_is_never_loaded(
    name: str, registered: Path, trap: bytes, marker: Path, convoy: Command, project: Project
) -> None:
    (registered / name).write_bytes(trap)
    assert isinstance(convoy("predict", "data", "--model", "digits/1").error, IntegrityError)
    with pytest.raises(IntegrityError):
        lookup.fetch(project.client, "digits/1", project.root)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json"])
def test_a_predictor_without_checks_does_not_load_a_pickle_either(
    name: str, registered: Path, trap: bytes, marker: Path
) -> None:
    (registered / name).write_bytes(trap)
    with pytest.raises(BadBundle):
        Predictor(registered)
    assert not marker.exists()


def test_weights_that_are_a_pickle_are_refused(project: Project, trap: bytes, marker: Path) -> None:
    (project.root / layout.TRAIN / "model.safetensors").write_bytes(trap)
    with pytest.raises(IntegrityError, match="do not fit"):
        network.load(
            project.root / layout.TRAIN, contents.info(project.root / layout.BUNDLE)["preprocessing"]
        )
    assert not marker.exists()


def test_code_that_was_put_into_the_registered_model_is_not_run(
    registered: Path, trap: bytes, marker: Path, convoy: Command, project: Project
) -> None:
    folder = registered.parent.parent
    (folder / "python_model.pkl").write_bytes(trap)
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(
        text.replace("mlflow.pyfunc.loaders.code_model", "mlflow.pyfunc.model").replace(
            "    streamable: false", "    python_model: python_model.pkl\n    streamable: false"
        )
    )
    (folder / "pyfunc.py").write_text(f"import os; os.mkdir({str(marker)!r})\n")
    assert convoy("predict", "data", "--model", "digits/1").error is None  # it runs no code of a model
    problems = verify_versions.wrapping(folder)
    assert [name for name, _ in problems] == ["python_model.pkl"]
    (folder / "python_model.pkl").unlink()
    assert {name for name, _ in verify_versions.wrapping(folder)} == {"MLmodel", "pyfunc.py"}
    error = convoy("verify").error
    assert isinstance(error, IntegrityError)
    assert not marker.exists()


def test_a_link_out_of_a_registered_bundle_is_found(
    registered: Path, convoy: Command, tmp_path: Path
) -> None:
    outside = (registered / "model_card.md").rename(tmp_path / "card.md")
    (registered / "model_card.md").symlink_to(outside)
    error = convoy("verify").error
    assert isinstance(error, IntegrityError)
    assert "a link leads out of the bundle" in error.what


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr: 0.01", "lr: !!python/object/apply:os.mkdir [MARKER]"),
        ("path: data/raw/toy", "path: !!python/object/apply:os.mkdir [MARKER]"),
        ("transforms: []", "transforms: [{name: !!python/object/apply:os.mkdir [MARKER]}]"),
        ("model: {name: lenet5}", "model: {name: lenet5, _target_: os.mkdir, path: MARKER}"),
        ("transforms: []", "transforms: [{_target_: os.mkdir, path: MARKER}]"),
        ("transforms: []", "transforms: [{name: os.mkdir, path: MARKER}]"),
    ],
)
def test_parameters_that_name_code_are_refused_and_nothing_is_executed(
    old: str, new: str, project: Project, marker: Path
) -> None:
    project.change(old, new.replace("MARKER", str(marker)))
    with pytest.raises(ConfigError) as caught:
        config = load(project.root / layout.PARAMS)
        from convoy.pipeline.preflight import preflight

        preflight(config)
    assert caught.value.exit_code == 2
    assert not marker.exists()
