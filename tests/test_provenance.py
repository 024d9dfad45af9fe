"""Provenance: what git, the lock files and the machine say, and what is said where they are silent."""

import subprocess
import sys
from pathlib import Path

import pytest

from convoy import provenance
from tests.registry.fixtures import git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / ".gitignore").write_text("/out/\n")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_committed_tree_is_clean(root: Path) -> None:
    state = provenance.git_state(root)
    assert (state.dirty, state.diff, state.problem, state.branch) == (False, "", "", "trunk")
    assert state.commit is not None
    assert len(state.commit) == 40


def test_a_change_is_dirt_and_its_diff_is_told(root: Path) -> None:
    (root / "code.py").write_text("x = 2\n")
    state = provenance.git_state(root)
    assert state.dirty
    assert "+x = 2" in state.diff
    assert state.changed == ("code.py",)


def test_a_new_file_is_dirt_and_is_named(root: Path) -> None:
    (root / "neu 猫.py").write_text("")
    state = provenance.git_state(root)
    assert state.dirty
    assert "neu 猫.py" in state.diff
    assert state.changed == ("neu 猫.py",)


def test_ignored_files_and_dvc_lock_are_no_dirt(root: Path) -> None:
    (root / "out").mkdir()
    (root / "out" / "model").write_text("")
    (root / "dvc.lock").write_text("stages: {}\n")
    assert not provenance.git_state(root).dirty
    git(root, "add", "dvc.lock")
    git(root, "commit", "-qm", "lock")
    (root / "dvc.lock").write_text("stages: {a: {}}\n")
    state = provenance.git_state(root)
    assert (state.dirty, state.diff) == (False, "")


def test_a_project_below_the_repositorys_root_looks_at_itself(root: Path) -> None:
    project = root / "project"
    project.mkdir()
    (project / "dvc.lock").write_text("stages: {}\n")
    (root / "elsewhere.txt").write_text("")
    assert not provenance.git_state(project).dirty
    (project / "params.yaml").write_text("")
    assert provenance.git_state(project).dirty


def test_without_a_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    state = provenance.git_state(tmp_path)
    assert state.dirty
    assert state.commit is None
    assert "not a git repository" in state.problem


def test_without_git_it_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    state = provenance.git_state(root)
    assert (state.dirty, state.problem) == (True, "git is not installed")


def test_without_a_commit_it_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert provenance.git_state(tmp_path).problem == "no commit yet"


def test_everything_is_collected_and_flat_tags_are_texts(root: Path) -> None:
    (root / "requirements.lock").write_text("numpy==1\n")
    made = provenance.collect(root)
    assert made["environment_lock"] == provenance.file_digest(root / "requirements.lock")
    assert made["dvc_lock"] is None
    assert made["hardware"]["cores"] >= 1
    assert made["hardware"]["cpu"]
    tags = provenance.tags(made)
    assert all(isinstance(value, str) and value for value in tags.values())
    assert tags["convoy.dirty"] == "true"  # the lock file is not committed
    assert tags["convoy.dvc_lock"] == "unknown"


def test_torchs_version_is_known_without_importing_it() -> None:
    script = (
        "import sys; from convoy import provenance as p; print(p.versions()['torch'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    version, imported = done.stdout.split()
    assert version[0].isdigit()
    assert imported == "False"


def test_dvcs_digest_comes_from_the_dvc_file_or_the_lock(tmp_path: Path) -> None:
    assert provenance.dvc_digest(tmp_path, "data/raw/x") is None
    (tmp_path / "dvc.lock").write_text(
        "stages:\n  ingest:\n    deps:\n    - {path: data/raw/x, md5: aa.dir}\n"
    )
    assert provenance.dvc_digest(tmp_path, "data/raw/x") == "aa.dir"
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "x.dvc").write_text("outs:\n- {path: x, md5: bb.dir}\n")
    assert provenance.dvc_digest(tmp_path, "data/raw/x") == "bb.dir"


def test_a_damaged_lock_file_is_an_unknown_digest(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: [")
    assert provenance.dvc_digest(tmp_path, "data/raw/x") is None
