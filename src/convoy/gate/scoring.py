"""Champion and challenger on the same test pictures, each with its own preprocessing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.data import manifest, opening
from convoy.errors import IntegrityError
from convoy.gate.paired import Answers, Codes
from convoy.serving.predictor import Predictor

LEARNED = ("train", "val")  # val chose the epoch, so it counts as learned from
_BATCH = 64

Mask = NDArray[np.bool_]


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


@dataclass(frozen=True)
class Scores:
    """What the models answered on the test samples that the challenger did not learn from.

    Attributes:
        samples: the N rows, with what the modality measures (brightness: mean pixel, 0 to 255, as the
            challenger sees the picture).
        classes: of the challenger.
        probabilities: of the challenger, (N, classes).
        rival_classes: of the champion; None where there is none.
        rival: the champion's answers, (N,) names; None where there is none.
        fresh: (N,) rows that the champion did not learn from either.
        left_out: how many test samples each one learned from.
    """

    samples: pd.DataFrame
    classes: list[str]
    probabilities: NDArray[np.float64]
    rival_classes: list[str] | None
    rival: NDArray[np.str_] | None
    fresh: Mask
    left_out: dict[str, int]

    @property
    def target(self) -> Codes:
        """(N,) indices into `classes`; -1 is a class that the challenger does not know."""
        code = {name: n for n, name in enumerate(self.classes)}
        return np.array([code.get(name, -1) for name in self.samples["target"]], np.int64)

    @property
    def common(self) -> set[str]:
        """The classes that both models know."""
        return set(self.classes) & set(self.rival_classes or ())

    @property
    def shared(self) -> Mask:
        """(N,) rows on which the two can be compared: fresh, and of a class that both know."""
        common: Mask = self.samples["target"].isin(self.common).to_numpy(bool)
        return self.fresh & common

    def answers(self) -> Answers:
        """Both models on the shared rows; an answer outside of the common classes is wrong."""
        assert self.rival is not None
        assert self.rival_classes is not None
        names = sorted({*self.classes, *self.rival_classes})
        code = {name: n for n, name in enumerate(names)}
        own = np.array([code[name] for name in self.classes], np.int64)
        rows = self.shared
        return Answers(
            np.array([code[name] for name in self.samples.loc[rows, "target"]], np.int64),
            own[self.probabilities[rows].argmax(axis=1)],
            np.array([code[name] for name in self.rival[rows].tolist()], np.int64),
            len(names),
        )


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
    ids = tests.samples["id"]
    known = {"challenger": ids.isin(learned(challenger)).to_numpy(bool)}
    if champion is not None:
        known["champion"] = ids.isin(learned(champion)).to_numpy(bool)
    rows = ~known["challenger"]
    samples = tests.samples[rows].reset_index(drop=True)
    models = [Predictor(bundle) for bundle in (challenger, champion) if bundle is not None]
    found: list[list[NDArray[np.float64]]] = [[] for _ in models]
    measured: dict[str, list[float]] = {}
    view = plugins.load("view", tests.data.modality)
    pending = read(tests, samples)
    while contents := list(islice(pending, _BATCH)):
        for number, batch in enumerate(_prepared(models, contents)):
            found[number].append(models[number].classify(batch))
            if number == 0:
                for name, values in view.measured(batch).items():
                    measured.setdefault(name, []).extend(values.tolist())
    rival = None
    if len(models) > 1:
        chosen = [block.argmax(axis=1) for block in found[1]]
        rival = np.array(models[1].classes)[np.concatenate(chosen)] if chosen else np.zeros(0, np.str_)
    return Scores(
        samples.assign(**{name: np.array(values, np.float64) for name, values in measured.items()}),
        models[0].classes,
        np.concatenate(found[0]) if found[0] else np.zeros((0, len(models[0].classes))),
        models[1].classes if len(models) > 1 else None,
        rival,
        ~known["champion"][rows] if champion is not None else np.ones(len(samples), bool),
        {name: int(mask.sum()) for name, mask in known.items()},
    )


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
