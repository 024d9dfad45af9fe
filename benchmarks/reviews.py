"""The data of the text benchmarks: the 10,662 film reviews of MR, through the project's own stages."""

import os
import shutil
from pathlib import Path

from benchmarks.checkout import PROJECT
from benchmarks.digits import Digits
from benchmarks.measure import Unavailable
from convoy.config.load import load
from convoy.data.store import Store
from convoy.io import read_json
from convoy.stages.ingest import ingest
from convoy.stages.prepare import prepare
from convoy.stages.split import split
from convoy.stages.validate import validate


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


def make(folder: Path) -> Digits:
    """Runs the stages of recipes/mr.yaml (its first fold) from the file to the store below `folder`."""
    config = load(PROJECT / "recipes" / "mr.yaml")
    raw = folder / "raw"
    raw.mkdir()
    shutil.copy(file(), raw)
    data = config.data.model_copy(update={"path": str(raw)})
    ingest(data, out=folder / "ingest")
    validate(folder / "ingest", data, config.validation, out=folder / "validate")
    split(folder / "validate", config.split, out=folder / "split")
    prepared = folder / "prepare"
    prepare(folder / "split", data, config.prepare, max_pixels=config.validation.max_pixels, out=prepared)
    return Digits(
        config=config,
        train=Store.open(prepared / "train"),
        val=Store.open(prepared / "val"),
        preprocessor=read_json(prepared / "preprocessor.json"),
    )
