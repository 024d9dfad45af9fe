"""What a registered version says of where it comes from."""

from pathlib import Path

import pytest

from convoy.bundle import contents
from convoy.errors import ConfigError, IntegrityError
from convoy.proof import origin
from tests.proof import clones
from tests.proof.clones import head, registered
from tests.registry.fixtures import Project

repository = clones.repository


def test_a_version_names_its_commit_its_bundle_and_the_lock_of_its_run(
    project: Project, tmp_path: Path
) -> None:
    lock = "schema: '2.0'\nstages:\n  train:\n    cmd: none\n"
    (project.root / "dvc.lock").write_text(lock)
    receipt = registered(project)
    found = origin.of(project.client, "models:/digits/1", tmp_path)
    assert (found.commit, found.digest) == (head(project.root), receipt.bundle)
    assert contents.digest(found.bundle) == receipt.bundle
    assert (found.patch, found.untracked) == ("", ())
    assert found.lock == {"schema": "2.0", "stages": {"train": {"cmd": "none"}}}


def test_uncommitted_changes_come_back_as_a_patch_and_unknown_files_by_name(
    project: Project, tmp_path: Path
) -> None:
    project.change("epochs: 2", "epochs: 3")
    (project.root / "neu 猫.py").write_text("x")
    registered(project)
    found = origin.of(project.client, "digits/1", tmp_path)
    assert "+  epochs: 3" in found.patch
    assert found.untracked == ("neu 猫.py",)
    assert "untracked" not in found.patch


def test_a_lock_of_another_run_is_not_taken_for_the_one_of_this(project: Project, tmp_path: Path) -> None:
    (project.root / "dvc.lock").write_text("stages: {a: {}}\n")
    registered(project)
    found = origin.of(project.client, "digits/1", tmp_path)
    bare = origin.Origin(**{**found.__dict__, "lock": None})
    assert origin.with_lock_of(bare, "stages: {b: {}}\n") is None
    assert origin.with_lock_of(bare, "stages: {a: {}}\n") == {"stages": {"a": {}}}


def test_a_version_without_a_commit_cannot_be_rebuilt(project: Project, tmp_path: Path) -> None:
    registered(project)
    project.client.set_model_version_tag("digits", "1", "convoy.commit", "not a git repository")
    with pytest.raises(IntegrityError, match=r"not made from a commit \(not a git repository\)"):
        origin.of(project.client, "digits/1", tmp_path)
    with pytest.raises(ConfigError):
        origin.of(project.client, "digits@nobody", tmp_path)
