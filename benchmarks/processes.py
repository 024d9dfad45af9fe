"""The benchmark's end of `benchmarks.frameworks.turns`: a framework's process that trains an epoch a call."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from benchmarks.checkout import PROJECT

_OURS = ("OMP_", "KMP_", "MKL_")  # what this process was told about threads is nothing to the others


class Framework:
    """One training in a process of its own; between the calls it waits without work.

    Attributes:
        versions: of the packages that it trains with.
        accuracy: of each epoch so far.
    """

    def __init__(self, script: str, data: Path, *options: str, python: Path = Path(sys.executable)) -> None:
        """Start it and wait until it is ready to train.

        Args:
            script: a module of `benchmarks.frameworks`.
            data: its .npy files.

        Raises:
            RuntimeError: it died; its last lines are shown.
        """
        self._errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.frameworks.{script}", str(data), *options],
            cwd=PROJECT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        self.accuracy: list[float] = []
        self.versions: dict[str, str] = self._heard()["versions"]

    def epoch(self) -> float:
        """Train and evaluate once; the seconds that it took.

        Raises:
            RuntimeError: it died; its last lines are shown.
        """
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        heard = self._heard()
        self.accuracy.append(float(heard["accuracy"]))
        return float(heard["seconds"])

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            last = "".join(self._errors.readlines()[-20:])
            self._close()
            raise RuntimeError(f"{self._process.args!r} ended with {code}:\n{last}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """Let it end, as no call will come, and free what belongs to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def environment() -> dict[str, str]:
    """For other frameworks: what a user's shell has, without the settings that convoy makes for itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
