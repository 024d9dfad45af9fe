"""A clone a test."""

import os
from pathlib import Path

import pytest

from tests.schedule import toyclone


@pytest.fixture(scope="session")
def _first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toyclone.make(tmp_path_factory.mktemp("clone") / "it")


@pytest.fixture
def clone(_first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy clone, with a space and Chinese in its path."""
    import shutil

    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    root = tmp_path / "a clone 克隆"
    shutil.copytree(_first, root, symlinks=True)
    return root
