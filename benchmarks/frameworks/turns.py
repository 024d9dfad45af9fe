"""What a framework's script says to the benchmark: JSON lines out; a line in means the next epoch may begin.

Frameworks print; so the lines go to what stdout was, and stdout becomes stderr.
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

BATCH = 128
LR = 1e-3


class Turns:
    """Epochs on call. The clock runs from the call to the report: training, evaluation, all in between."""

    def __init__(self, *packages: str) -> None:
        """Report the versions of `packages`, then wait for the first call."""
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._say({"versions": {name: version(name) for name in packages}})
        self._start = self._called()

    def done(self, accuracy: float) -> None:
        """Report an epoch and wait for the next call; the process ends where none comes."""
        self._say({"seconds": time.perf_counter() - self._start, "accuracy": accuracy})
        self._start = self._called()

    def _say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def _called(self) -> float:
        if not sys.stdin.readline():
            raise SystemExit
        return time.perf_counter()


def options(description: str) -> argparse.Namespace:
    """The arguments that all scripts take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help="folder of train_images.npy, train_labels.npy, test_….npy")
    parser.add_argument("--epochs", type=int, required=True, help="no more calls than these will come")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "auto"))
    return parser.parse_args()
