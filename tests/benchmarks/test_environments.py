import subprocess
from pathlib import Path

import pytest
from benchmarks.measure import Unavailable

from benchmarks import environments


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "_KEPT", tmp_path / "kept")
    monkeypatch.setenv("UV_OFFLINE", "1")
    return tmp_path / "kept"


def imports(python: Path, module: str) -> bool:
    return (
        subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    )


def test_an_environment_is_made_once_for_its_list_and_sees_ours_only_where_it_may(
    tmp_path: Path, kept: Path
) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("# nothing\n")
    alone, borrowing = environments.python(wanted), environments.python(wanted, borrow=True)
    assert not imports(alone, "typer")
    assert imports(borrowing, "typer")
    (alone.parent.parent / "still here").touch()
    assert environments.python(wanted) == alone
    assert (alone.parent.parent / "still here").exists()
    wanted.write_text("# nothing, said otherwise\n")
    assert environments.python(wanted) != alone
    assert len(list(kept.iterdir())) == 3


def test_an_environment_that_cannot_be_made_is_unavailable_and_not_kept(tmp_path: Path, kept: Path) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("no-such-package-as-this==1.0\n")
    for _ in range(2):
        with pytest.raises(Unavailable, match="`uv pip` failed"):
            environments.python(wanted)
