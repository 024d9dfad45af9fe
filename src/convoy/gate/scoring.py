"""Champion and challenger on the same test pictures, each with its own preprocessing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import plugins
from convoy.bundle import contents
from convoy.config.data import DataConfig
from convoy.data import manifest, opening
from convoy.errors import IntegrityError
from convoy.gate.objectives._base import Scores
from convoy.serving.predictor import Predictor

LEARNED = ("train", "val")  # val chose the epoch, so it counts as learned from
_BATCH = 64


@dataclass(frozen=True)
class TestData:
    """The project's current test split.

    Attributes:
        samples: columns id, path, target, and what the checks measured (width, height, mode, bytes).
        data: where the source reads `path`.
        base: the project's root.
    """

    __test__ = False  # not a pytest class

    samples: pd.DataFrame
    data: DataConfig
    base: Path


def current_tests(split: Path, data: DataConfig, base: Path) -> TestData:
    """Read the test rows of the split stage's table."""
    samples = manifest.read(split)
    return TestData(samples[samples["split"] == "test"].drop(columns="split"), data, base)


def score(tests: TestData, challenger: Path, champion: Path | None) -> Scores:
    """Let the bundles answer the same pictures, from the raw bytes on; each is read once.

    Raises:
        DataError: the raw data cannot be read.
        IntegrityError: a picture is not the one that was split.
    """
    infos = [contents.info(bundle) for bundle in (challenger, champion) if bundle is not None]
    objective, *others = map(objective_of, infos)
    foreign = others[0] if others and others[0] != objective else ""
    ids = tests.samples["id"]
    known = {"challenger": ids.isin(learned(challenger)).to_numpy(bool)}
    if champion is not None:
        known["champion"] = ids.isin(learned(champion)).to_numpy(bool)
    mine = ~known["challenger"]
    samples = tests.samples[mine].reset_index(drop=True)
    asked = (challenger, None if foreign else champion)
    models = [Predictor(bundle) for bundle in asked if bundle is not None]
    found: list[list[NDArray[np.float64]]] = [[] for _ in models]
    measured: dict[str, list[float]] = {}
    view = plugins.load("view", tests.data.modality)
    pending = read(tests, samples)
    while some := list(islice(pending, _BATCH)):
        for number, batch in enumerate(_prepared(models, some)):
            found[number].append(models[number].decode(batch))
            if number == 0:
                for name, values in view.measured(batch).items():
                    measured.setdefault(name, []).extend(values.tolist())
    made: type[Scores] = plugins.load("judging", objective).Scores
    rows = [
        np.concatenate(parts) if parts else np.zeros((0, len(model.output.columns)))
        for parts, model in zip(found, models, strict=True)
    ]
    return made(
        samples.assign(**{name: np.array(values, np.float64) for name, values in measured.items()}),
        models[0].classes,
        rows[0],
        models[1].classes if len(models) > 1 else None,
        made.answered(rows[1], models[1].classes) if len(models) > 1 else None,
        ~known["champion"][mine] if champion is not None else np.ones(len(samples), bool),
        {name: int(mask.sum()) for name, mask in known.items()},
        infos,
        foreign,
    )


def objective_of(info: Mapping[str, Any]) -> str:
    """The name of a bundle's objective."""
    name: str = info["params"].get("objective", {}).get("name", "classification")
    return name


def learned(bundle: Path) -> set[str]:
    """The ids of all samples that a bundle's model learned from."""
    known = pd.read_parquet(bundle / manifest.FILE, columns=["id", "split"])
    return set(known.loc[known["split"].isin(LEARNED), "id"])


def read(tests: TestData, samples: pd.DataFrame) -> Iterator[bytes | NDArray[Any]]:
    """The raw content of each sample, in order.

    Raises:
        DataError: it cannot be read.
        IntegrityError: it is not what was split.
    """
    content_of = opening.reader(tests.data, tests.base)
    for sample, path in zip(samples["id"], samples["path"], strict=True):
        content = content_of(path)
        if manifest.content_id(content) != sample:
            raise IntegrityError(
                "a test picture has changed since the data were read",
                where=f"{tests.base / tests.data.path / path}",
                fix="run `convoy run` (or `dvc repro`) again",
            )
        yield content


def _prepared(models: Sequence[Predictor], contents: Sequence[Any]) -> Iterator[NDArray[Any]]:
    """A batch for each model; prepared once where all want the same."""
    first = models[0].batch([models[0].prepare(content) for content in contents])
    yield first
    for model in models[1:]:
        same = model.spec == models[0].spec
        yield first if same else model.batch([model.prepare(content) for content in contents])
