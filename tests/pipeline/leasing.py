"""Processes that take a lease and keep it until they are told to end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

_HOLD = """
import sys
from pathlib import Path
from convoy.errors import ConvoyError
from convoy.pipeline import lease

def say(line):
    print(line, flush=True)

try:
    with {what}:
        say("has it")
        {then}
        sys.stdin.readline()
except ConvoyError as error:
    say(str(error))
    sys.exit(error.exit_code)
"""


class Leasing:
    """A process that runs `lease.WHAT` over `root` and says what it hears; the block ends it."""

    def __init__(self, root: Path, what: str, then: str = "pass", **environment: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLD.format(what=f"lease.{what}", then=then), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def line(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def end(self) -> int:
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
