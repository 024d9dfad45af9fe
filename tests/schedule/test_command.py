"""`convoy schedule` where no server stands: what is wrong is said before one is looked for."""

import subprocess
from pathlib import Path

import pytest

from tests.project import environment


def schedule(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["convoy", "schedule", *arguments], cwd=clone, env=environment(Path(__file__).parents[2]),
        capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "0 25 * * *"), 2, "'25' is no hour of cron"),
        (("add", "0 2 * * *", "--timezone", "Beijing"), 2, "no time zone is called 'Beijing'"),
        (("add", "0 2 * * *", "--commit-lock", "main"), 2, "the branch main is checked out"),
        (("list", "--json"), 5, "start `convoy up`"),
    ],
    ids=["cron", "zone", "branch", "server"],
)
def test_an_error_is_told_with_its_code_and_the_way_out(
    arguments: tuple[str, ...], code: int, told: str, clone: Path
) -> None:
    done = schedule(clone, *arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
