"""A full disk in every stage: exit code 5, nothing partial is current, and then the same bytes as ever."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from convoy import layout
from tests.faults.children import run_stage
from tests.faults.conftest import STAGES, as_before, differing, filled, partial

SIZE = 64 << 20  # bytes
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)  # of what the stage writes

Make = Callable[[int], Path]


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_on_a_full_disk_says_so_and_ends_in_the_same_bytes_when_there_is_room(
    stage: str,
    finished: Path,
    disk: Make,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    root = as_before(finished, stage, disk(SIZE) / "project")
    out, wanted = root / STAGES[stage], finished / STAGES[stage]
    need = written_by(root, stage, tmp_path / "log")
    trials = 0
    for share in SHARES:
        with filled(root.parent, int(share * need)):
            code, said = run_stage(root, stage, tmp_path / "log")
        if code == 0:  # what it keeps for speed alone found no room
            assert differing(out, wanted) == []
        else:
            assert code == 5, said
            assert "error 5: the disk is full" in said
            assert partial(out, wanted) == []
        trials += 1
    code, said = run_stage(root, stage, tmp_path / "log")
    assert code == 0, said
    assert differing(out, wanted) == []
    record_property("trials", trials)


def written_by(root: Path, stage: str, log: Path) -> int:
    """Bytes that a stage takes of its disk; afterwards all is as before."""
    free = os.statvfs(root.parent).f_bavail
    code, said = run_stage(root, stage, log)
    assert code == 0, said
    state = os.statvfs(root.parent)
    shutil.rmtree(root / STAGES[stage])
    shutil.rmtree(root / layout.STATE)
    return (free - state.f_bavail) * state.f_frsize
