"""The n-th write fails on a full or a broken disk: exit code 5, nothing partial, then the same bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from convoy import layout
from tests.faults.children import Fault, run_stage
from tests.faults.conftest import STAGES, as_before, differing, partial

WRITES = 4
SAYS = {"ENOSPC": "the disk is full", "EIO": "the disk reports an input/output error"}


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("stage", STAGES)
def test_whichever_write_of_a_stage_fails_nothing_partial_is_current_and_the_next_run_mends_it(
    stage: str, finished: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    root = as_before(finished, stage, tmp_path / "project")
    out, wanted = root / STAGES[stage], finished / STAGES[stage]
    struck, told = 0, list[bool]()
    for number in range(1, WRITES + 1):
        for error, says in SAYS.items():
            shutil.rmtree(root / layout.STATE, ignore_errors=True)
            shutil.rmtree(out, ignore_errors=True)
            code, said = run_stage(root, stage, tmp_path / "log", Fault(error, number))
            if code == 0:  # it fell on what is kept for speed alone
                assert differing(out, wanted) == []
            else:
                assert code == 5, said
                assert "error 5: " in said
                told.append(says in said)
                assert partial(out, wanted) == []
                struck += 1
            code, said = run_stage(root, stage, tmp_path / "log")
            assert code == 0, said
            assert differing(out, wanted) == []
    assert struck >= WRITES
    assert any(told)  # a worker that could not be given its task says that instead
    record_property("trials", 2 * WRITES)
