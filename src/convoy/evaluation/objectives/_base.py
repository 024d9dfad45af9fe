"""What an objective's part of evaluation is given, and what it gives to the stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.store import Store
from convoy.evaluation import predictions
from convoy.training.network import Network

HELD_OUT = ("val", "test")
_FACTS = ("parameters", "device", "precision", "threads", "epochs_run", "seed", "data_digest", "torch")

Draw = Callable[[Path], None]


@dataclass(frozen=True)
class Subject:
    """A trained network, and what it answers on the held-out splits.

    Attributes:
        view: of the modality (see `convoy.evaluation.modalities`).
        training: of training.json.
        preprocessor: of preprocessor.json; its `classes` name the network's outputs.
        stores: train, val and test.
        samples: the sample table.
        history: a row an epoch.
    """

    net: Network
    view: ModuleType
    training: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    stores: Mapping[str, Store]
    samples: pd.DataFrame
    history: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        return list(self.preprocessor["classes"])

    @cached_property
    def raw(self) -> dict[str, NDArray[np.float32]]:
        """Held-out split -> what the network gives, in the order of the store."""
        return {
            split: predictions.logits(self.net, self.view.samples(self.stores[split], self.preprocessor))
            for split in HELD_OUT
        }

    @property
    def tests(self) -> Any:
        """The test samples as the network takes them."""
        return self.view.samples(self.stores["test"], self.preprocessor)

    def places(self, tests: pd.DataFrame) -> NDArray[np.int64]:
        """Where the test rows of the predictions table lie in the store, (N,)."""
        place = {value.decode("ascii"): n for n, value in enumerate(self.stores["test"].id.tolist())}
        return np.asarray([place[value] for value in tests["id"]], dtype=np.int64)

    @property
    def facts(self) -> dict[str, str]:
        """What a report says of the training."""
        return {name.replace("_", " "): str(self.training[name]) for name in _FACTS if name in self.training}


@dataclass(frozen=True)
class Judged:
    """What the stage writes.

    Attributes:
        predictions: predictions.parquet: id, split, path, what the objective says, what slices are made of.
        calibration: calibration.json; its method is none where nothing is calibrated.
        metrics: metrics.json: val, test, intervals, baseline and more.
        slices: slices.csv, the worst first.
        robustness: robustness.csv; without rows where it was not measured.
        details: tables of the objective's own, by name.
        page: report.html.
        draw: writes mistakes.png, the worst samples, into a folder.
        pictures: name -> draws a picture of the objective's own into a file.
        frames: tables of the objective's own that are too large for text, by name.
    """

    predictions: pd.DataFrame
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any]
    slices: pd.DataFrame
    robustness: pd.DataFrame
    details: Mapping[str, pd.DataFrame]
    page: str
    draw: Draw
    pictures: Mapping[str, Draw] = field(default_factory=dict)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
