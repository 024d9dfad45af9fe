"""The data of the text benchmarks: the 10,662 film reviews of MR."""

import os
import shutil
from pathlib import Path

from benchmarks.checkout import PROJECT
from benchmarks.measure import Unavailable
from benchmarks.prepared import Prepared, made
from convoy.config.load import load


def file() -> Path:
    """Where the reviews lie: below `CONVOY_REALDATA`, else ../shared/data beside the checkout.

    Raises:
        Unavailable: they are not there.
    """
    folder = Path(os.environ.get("CONVOY_REALDATA", PROJECT.parent / "shared" / "data")) / "text"
    path = folder / "rt-polarity.all"
    if not path.is_file():
        raise Unavailable(f"MR's reviews are not in {folder}; see CONVOY_REALDATA")
    return path


def make(folder: Path) -> Prepared:
    """Runs the stages of recipes/mr.yaml (its first fold) below `folder`."""
    raw = folder / "raw"
    raw.mkdir()
    shutil.copy(file(), raw)
    return made(load(PROJECT / "recipes" / "mr.yaml"), raw, folder)
