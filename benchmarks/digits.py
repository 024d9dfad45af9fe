"""The data of the training benchmarks: the 5,000 real digits, through the project's own stages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkout import PROJECT
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.data import fetch
from convoy.data.store import Store
from convoy.io import read_json
from convoy.stages.ingest import ingest
from convoy.stages.prepare import prepare
from convoy.stages.split import split
from convoy.stages.validate import validate


@dataclass(frozen=True)
class Digits:
    """Prepared digits, and the default recipe that prepared them."""

    config: Config
    train: Store
    val: Store
    preprocessor: dict[str, Any]

    @property
    def transforms(self) -> list[dict[str, Any]]:
        """The recipe's augmentation, as `Policy` takes it."""
        return [{"name": step.name, **step.arguments()} for step in self.config.augment.transforms]


def make(folder: Path) -> Digits:
    """Runs the stages from the raw data to the store below `folder`."""
    config = load(PROJECT / "recipes" / "digits.yaml")
    data = config.data.model_copy(update={"path": str(fetch.get(config.data.source, folder))})
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
