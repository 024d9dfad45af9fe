"""Stage `package`: from the artifacts of the other stages to a bundle, the same bytes each time."""

from pathlib import Path

import pytest

from convoy import io, layout
from convoy.bundle import contents
from convoy.config.load import load
from convoy.errors import IntegrityError
from convoy.stages import package as stage
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project


def test_the_stage_writes_the_bundle_where_the_layout_says(project: Project) -> None:
    before = contents.sha256s(layout.BUNDLE)
    stage.main(load(layout.PARAMS))
    assert contents.sha256s(layout.BUNDLE) == before


def test_nothing_that_used_the_bundle_left_bytecode_in_it(project: Project) -> None:
    assert not list(project.workshop.rglob("__pycache__"))


def test_the_environment_lock_is_part_of_the_bundle(project: Project) -> None:
    (project.root / "requirements.lock").write_text("numpy==1\n")
    stage.main(load(layout.PARAMS))
    recorded = io.read_json(layout.BUNDLE / "bundle.json")["provenance"]["environment_lock"]
    assert recorded == io.sha256_file(Path("requirements.lock"))


def test_what_an_earlier_run_left_is_gone(project: Project) -> None:
    (layout.BUNDLE / "left over.txt").write_text("x")
    stage.main(load(layout.PARAMS))
    assert not (layout.BUNDLE / "left over.txt").exists()


def test_weights_of_another_model_are_refused(project: Project) -> None:
    path = layout.TRAIN / "training.json"
    io.write_json(path, {**io.read_json(path), "model": {"name": "mnist_cnn", "dropout": 0.5}})
    with pytest.raises(IntegrityError, match="do not fit"):
        stage.main(load(layout.PARAMS))
