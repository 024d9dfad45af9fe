"""Real trainings in processes of their own that can be killed at any moment, started in milliseconds.

They are forked from a server that has imported everything and run nothing, so no thread of torch is lost.
"""

import json
import os
import signal
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from convoy.config.model import CnnConfig, ConvBlock, ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.train import TrainConfig
from convoy.errors import ConvoyError
from convoy.stages.train import train
from tests.toys import write_policy, write_prepared

# all that keeps state or draws random numbers: momentum, batch norm, dropout, augmentation, mixing, cosine
# with warm-up, an average of the weights, early stopping
MODEL = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4)], dropout=0.3)
FLIP = [{"name": "HorizontalFlip", "p": 0.5}]
SETTINGS: dict[str, Any] = {
    "seed": 0,
    "epochs": 4,
    "batch_size": 16,
    "optimizer": {"name": "adamw", "lr": 0.01},
    "schedule": {"name": "cosine", "warmup_epochs": 1.0},
    "averaging": {"name": "ema", "decay": 0.9},
    "early_stopping": {"monitor": "val_loss", "patience": 3},
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "checkpoint_minutes": 0.0,  # after every step
}

_context = get_context("forkserver")
_context.set_forkserver_preload(["tests.training.killing", "albumentations", "omegaconf"])


def write_data(folder: Path) -> None:
    write_prepared(folder / "prepared")
    write_policy(folder / "mixed", FLIP, mixup={"alpha": 0.4, "p": 0.5})
    write_policy(folder / "flipped", FLIP)


class Training:
    """One training over the data in `data`, with its state and outputs in `place`."""

    def __init__(
        self,
        data: Path,
        place: Path,
        *,
        model: Any = None,
        mixing: bool = True,
        variables: dict[str, str] | None = None,
        **changes: Any,
    ) -> None:
        self.place = place
        place.mkdir(exist_ok=True)
        self._process = _context.Process(
            target=_train,
            args=(data, place, model, mixing, variables or {}, {**SETTINGS, **changes}),
        )
        self._process.start()
        while not (place / "begun").is_file():  # the server may have to import first
            assert self._process.exitcode is None, (place / "log").read_text()
            time.sleep(0.002)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def end(self, seconds: float = 60.0) -> int | None:
        """Its exit code; None: it goes on."""
        self._process.join(seconds)
        return self._process.exitcode

    def signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> bool:
        """SIGKILL; whether that was in time."""
        self.signal(signal.SIGKILL)
        ended = self.end() == -signal.SIGKILL
        (self.place / "begun").unlink()
        return ended


def _train(
    data: Path, place: Path, model: Any, mixing: bool, variables: dict[str, str], settings: dict[str, Any]
) -> None:
    os.environ.update(variables)
    with (place / "log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)  # as the command line does
        (place / "begun").touch()
        try:
            train(
                data / "prepared",
                data / ("mixed" if mixing else "flipped"),
                TypeAdapter(ModelConfig).validate_python(model) if model else MODEL,
                ClassificationConfig(name="classification"),
                TrainConfig.model_validate_json(json.dumps(settings)),
                state=place / "state",
                out=place / "out",
            )
        except ConvoyError as error:
            log.write(f"{error}\n")
            sys.exit(error.exit_code)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
