"""Each stage killed at moments spread over its whole run; afterwards it ends in the same bytes."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convoy import layout
from convoy.io import sha256_tree
from tests.faults import children
from tests.faults.conftest import STAGES, as_before, partial

KILLS = 8  # of each stage


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_at_any_moment_leaves_nothing_partial_and_ends_in_the_same_bytes(
    stage: str, finished: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    root = as_before(finished, stage, tmp_path / "project")
    out, wanted = root / STAGES[stage], finished / STAGES[stage]
    begun = time.monotonic()
    assert children.run_stage(root, stage, tmp_path / "log")[0] == 0
    whole = time.monotonic() - begun
    killed = 0
    for n in range(KILLS):
        shutil.rmtree(out, ignore_errors=True)
        if n % 2 == 0:  # with and without what an earlier one keeps for speed and for going on
            shutil.rmtree(root / layout.STATE, ignore_errors=True)
        killed += kill(root, stage, tmp_path / "log", whole * (n + 0.5) / KILLS)
        assert partial(out, wanted) == []
    code, said = children.run_stage(root, stage, tmp_path / "log")
    assert code == 0, said
    assert sha256_tree(out) == sha256_tree(wanted)
    assert killed > 0
    record_property("trials", killed)


def kill(root: Path, stage: str, log: Path, seconds: float) -> bool:
    """SIGKILL to a stage some time after it was started; whether that was in time."""
    process = children._context.Process(target=children._stage, args=(root, stage, log, None))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    killed = process.exitcode == -signal.SIGKILL
    process.close()
    return killed
