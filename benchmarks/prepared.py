"""Data of the benchmarks that went through the project's own stages, from the raw files to the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.config.objective import ClassificationConfig
from convoy.config.schema import Config
from convoy.data.store import Store
from convoy.io import read_json
from convoy.stages.ingest import ingest
from convoy.stages.prepare import prepare
from convoy.stages.split import split
from convoy.stages.validate import validate


@dataclass(frozen=True)
class Prepared:
    """Prepared samples, and the recipe that prepared them."""

    config: Config
    train: Store
    val: Store
    preprocessor: dict[str, Any]

    @property
    def objective(self) -> ClassificationConfig:
        """What is learned; the peers know nothing else."""
        assert isinstance(self.config.objective, ClassificationConfig)
        return self.config.objective

    @property
    def transforms(self) -> list[dict[str, Any]]:
        """The recipe's augmentation, as `Policy` takes it."""
        return [{"name": step.name, **step.arguments()} for step in self.config.augment.transforms]


def made(config: Config, raw: Path, folder: Path) -> Prepared:
    """What a recipe's stages make below `folder` of the data at `raw`."""
    data = config.data.model_copy(update={"path": str(raw)})
    ingest(data, out=folder / "ingest")
    validate(folder / "ingest", data, config.validation, out=folder / "validate")
    split(folder / "validate", config.split, out=folder / "split")
    out = folder / "prepare"
    prepare(folder / "split", data, config.prepare, max_pixels=config.validation.max_pixels, out=out)
    return Prepared(
        config=config,
        train=Store.open(out / "train"),
        val=Store.open(out / "val"),
        preprocessor=read_json(out / "preprocessor.json"),
    )
