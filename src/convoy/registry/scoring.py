"""Champion and challenger on the same test pictures, each with its own preprocessing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import plugins
from convoy.data import manifest
from convoy.errors import IntegrityError
from convoy.registry.gate import Answers, Codes
from convoy.serving.predictor import Predictor

LEARNED = ("train", "val")  # val chose the epoch, so it counts as learned from


@dataclass(frozen=True)
class TestData:
    """The project's current test split.

    Attributes:
        samples: columns id, path, target.
        source: name of the source plugin that reads `path`.
        folder: of the raw data.
    """

    __test__ = False  # not a pytest class

    samples: pd.DataFrame
    source: str
    folder: Path


def current_tests(split: Path, source: str, folder: Path) -> TestData:
    """Read the test rows of the split stage's table."""
    samples = manifest.read(split)
    return TestData(samples.loc[samples["split"] == "test", ["id", "path", "target"]], source, folder)


def left_out(tests: TestData, challenger: Path, champion: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Test rows that neither bundle learned from, and how many each one took away."""
    counts, keep = {}, np.ones(len(tests.samples), bool)
    for name, bundle in (("challenger", challenger), ("champion", champion)):
        known = pd.read_parquet(bundle / manifest.FILE, columns=["id", "split"])
        learned = tests.samples["id"].isin(set(known.loc[known["split"].isin(LEARNED), "id"])).to_numpy()
        counts[name] = int(learned.sum())
        keep &= ~learned
    return tests.samples[keep], counts


def score(tests: TestData, challenger: Path, champion: Path) -> tuple[Answers, dict[str, int]]:
    """Let both bundles answer the same pictures, from the raw bytes on.

    Raises:
        DataError: the raw data cannot be read.
        IntegrityError: a picture is not the one that was split.
    """
    samples, counts = left_out(tests, challenger, champion)
    models = [Predictor(challenger), Predictor(champion)]
    names = sorted({*samples["target"], *models[0].classes, *models[1].classes})
    code = {name: n for n, name in enumerate(names)}
    answers = []
    for model in models:
        own = np.array([code[name] for name in model.classes], np.int64)
        chosen = [own[rows.argmax(axis=1)] for rows in model.probabilities(_contents(tests, samples))]
        answers.append(np.concatenate(chosen) if chosen else np.zeros(0, np.int64))
    target: Codes = np.array([code[name] for name in samples["target"]], np.int64)
    return Answers(target, answers[0], answers[1], len(names)), counts


def _contents(tests: TestData, samples: pd.DataFrame) -> Iterator[bytes | NDArray[Any]]:
    read = plugins.load("source", tests.source).reader(tests.folder)
    for sample, path in zip(samples["id"], samples["path"], strict=True):
        content: bytes | NDArray[Any] = read(path)
        if manifest.content_id(content) != sample:
            raise IntegrityError(
                "a test picture has changed since the data were read",
                where=f"{tests.folder / path}",
                fix="run `convoy run` (or `dvc repro`) again",
            )
        yield content
