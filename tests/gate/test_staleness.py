"""Whether artifacts are current, by the records of dvc.lock."""

import hashlib
from pathlib import Path

from convoy.gate import staleness


def _lock(root: Path, md5: str, lr: float) -> None:
    (root / "dvc.lock").write_text(
        f"stages:\n  train:\n    deps:\n    - {{path: code.py, md5: {md5}}}\n"
        f"    - {{path: artifacts/x, md5: a.dir}}\n"
        f"    params:\n      params.yaml:\n        train:\n          lr: {lr}\n        data.path: raw\n"
    )


def _project(root: Path) -> str:
    (root / "code.py").write_text("x = 1\n")
    (root / "params.yaml").write_text("train: {lr: 0.1}\ndata: {path: raw}\n")
    return hashlib.md5(b"x = 1\n").hexdigest()


def test_current_artifacts_have_no_reasons(tmp_path: Path) -> None:
    _lock(tmp_path, _project(tmp_path), 0.1)
    assert staleness.reasons(tmp_path) == []


def test_a_changed_parameter_and_changed_code_are_named(tmp_path: Path) -> None:
    md5 = _project(tmp_path)
    _lock(tmp_path, md5, 0.2)
    assert staleness.reasons(tmp_path) == ["train: params.yaml: train"]
    _lock(tmp_path, md5, 0.1)
    (tmp_path / "code.py").write_text("x = 2\n")
    assert staleness.reasons(tmp_path) == ["train: code.py"]


def test_without_a_lock_nothing_is_known(tmp_path: Path) -> None:
    _project(tmp_path)
    assert staleness.reasons(tmp_path) == []
