"""The data of the training benchmarks: the 5,000 real digits."""

from pathlib import Path

from benchmarks.checkout import PROJECT
from benchmarks.prepared import Prepared, made
from convoy.config.load import load
from convoy.data import fetch


def make(folder: Path) -> Prepared:
    """Runs the stages of the default recipe below `folder`."""
    config = load(PROJECT / "recipes" / "digits.yaml")
    return made(config, fetch.get(config.data.source, folder), folder)
