"""A place that one process has at a time."""

import subprocess
import sys
from pathlib import Path

from convoy.locking import only_one

HOLDER = """
import sys
from pathlib import Path
from convoy.locking import only_one
with only_one(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    input()
"""


def test_the_second_is_told_at_once_and_a_killed_holder_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "place.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with only_one(path) as mine:
            assert not mine
        holder.kill()
    with only_one(path) as mine:
        assert mine


def test_an_error_inside_gives_the_place_back(tmp_path: Path) -> None:
    path = tmp_path / "place.lock"
    try:
        with only_one(path):
            raise KeyError("inside")
    except KeyError:
        pass
    with only_one(path) as mine:
        assert mine
