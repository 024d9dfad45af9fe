"""The checks before a run, in a process of their own."""

import signal
from pathlib import Path

import pytest

from convoy.errors import ResourceError, ToldError
from convoy.pipeline import checking

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_good_parameters_pass(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(PARAMS.read_bytes())
    checking.check(tmp_path)


def test_what_is_wrong_is_told_with_its_code_and_as_one_block(tmp_path: Path) -> None:
    text = PARAMS.read_text(encoding="utf-8")
    assert "\n  height: 28" in text
    (tmp_path / "params.yaml").write_text(text.replace("\n  height: 28", "\n  height: 2"), encoding="utf-8")
    with pytest.raises(ToldError) as told:
        checking.check(tmp_path)
    assert told.value.exit_code == 2
    assert str(told.value).startswith("error 2: ")
    assert "Traceback" not in str(told.value)


def test_a_process_that_was_killed_is_no_fault_of_the_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_bytes(PARAMS.read_bytes())
    killer = tmp_path / "python"
    killer.write_text("#!/bin/sh\nkill -9 $$\n")
    killer.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(killer))
    with pytest.raises(ResourceError, match=f"signal {int(signal.SIGKILL)}"):
        checking.check(tmp_path)
