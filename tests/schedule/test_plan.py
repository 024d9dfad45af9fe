"""What is looked at when a schedule is added, before any server hears of it."""

from pathlib import Path

import pytest

from convoy.errors import ConfigError
from convoy.schedule.plan import Plan
from tests.schedule import toyclone
from tests.schedule.toyclone import head


def test_a_good_plan_says_the_commit_it_would_run(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    plan = Plan("nightly", "main", watch=str(tmp_path / "inbox"), commit_lock="scheduled/main")
    assert plan.check(clone) == head(clone)
    assert Plan.of({**plan.parameters(), "of a newer convoy": 1}) == plan


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan("two words"), "cannot be the name of a schedule"),
        (Plan("../up"), "cannot be the name of a schedule"),
        (Plan("nightly", ref="nowhere"), "git knows no commit"),
        (Plan("nightly", commit_lock="main"), "the branch main is checked out"),
        (Plan("nightly", commit_lock="a b"), "cannot be a branch"),
        (Plan("nightly", watch="no such folder"), "there is no such folder"),
        (Plan("nightly", settle=-1), "cannot be negative"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_what_cannot_work_is_refused(plan: Plan, told: str, clone: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        plan.check(clone)
    assert told in refused.value.what


def test_a_project_of_an_older_convoy_is_told_how_to_get_the_flow(clone: Path) -> None:
    (clone / "flows/scheduled.py").unlink()
    with pytest.raises(ConfigError, match="no flow for schedules") as refused:
        Plan("nightly").check(clone)
    assert "init --refresh" in refused.value.fix


@pytest.mark.parametrize("path", ["/data/elsewhere", "../outside"])
def test_a_folder_cannot_become_data_that_lie_outside_of_the_project(clone: Path, path: str) -> None:
    params = clone / "params.yaml"
    params.write_text(params.read_text().replace(toyclone.DATA.as_posix(), path))
    toyclone.commit(clone, "data elsewhere")
    with pytest.raises(ConfigError, match="must lie in the project"):
        Plan("nightly", watch=".").check(clone)
