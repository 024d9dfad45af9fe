"""Stands in for `convoy.stack.standing` until that is merged: the same file, the same signature."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from convoy.environment import state_dir
from convoy.io import read_json


@dataclass(frozen=True)
class Standing:
    """The servers of a running `convoy up`."""

    mlflow: str
    prefect: str


def find(root: Path) -> Standing | None:
    """The stack of this project, where its supervisor lives."""
    try:
        record = read_json(state_dir(root) / "stack.json")
        process = psutil.Process(record["pid"])
        if abs(process.create_time() - record["create_time"]) > 1:
            return None
        return Standing(record["mlflow"], record["prefect"])
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
