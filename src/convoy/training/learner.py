"""The LightningModule: a network, an objective and an optimiser. It knows no dataset."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from convoy.config.train import TrainConfig
from convoy.data.loader import batch_key
from convoy.errors import IntegrityError
from convoy.training import optim
from convoy.training.network import Network
from convoy.training.objectives.classification import Classification

TensorBatch = dict[str, Tensor]  # images (N, H, W, C) uint8, target (N,) int64


def _seed(key: int) -> None:
    """What torch.manual_seed does for the generators in use, without its millisecond of bookkeeping."""
    torch.default_generator.manual_seed(key)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(key)


class Learner(pl.LightningModule):
    """Trains a network; each step's randomness (dropout) is keyed by (seed, epoch, step).

    Epoch averages are summed on the device and read once an epoch, so no step waits for one.
    """

    def __init__(
        self, network: Network, objective: Classification, config: TrainConfig, steps_per_epoch: int
    ) -> None:
        super().__init__()
        self.network = network
        self._objective = objective
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._sums: dict[str, Tensor] = {}
        self._seen = 0

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = optim.optimizer(self._config.optimizer, self.network.parameters())
        factor = optim.factor(
            self._config.schedule, epochs=self._config.epochs, steps_per_epoch=self._steps_per_epoch
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: TensorBatch, batch_idx: int) -> Tensor:
        _seed(batch_key(self._config.seed, self.current_epoch, batch_idx))
        loss = self._objective.loss(self(batch["images"]), batch["target"])
        self._add({"loss": loss.detach() * len(batch["target"])}, len(batch["target"]))
        return loss

    def validation_step(self, batch: TensorBatch, batch_idx: int) -> None:
        self._add(self._objective.measures(self(batch["images"]), batch["target"]), len(batch["target"]))

    def on_train_epoch_start(self) -> None:
        self._reset()

    def on_validation_epoch_start(self) -> None:
        self._publish("train")  # Lightning validates inside the training epoch: its sums end here

    def on_validation_epoch_end(self) -> None:
        self._publish("val")

    def _add(self, sums: dict[str, Tensor], count: int) -> None:
        for name, value in sums.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._seen += count

    def _publish(self, split: str) -> None:
        for name, total in self._sums.items():
            value = float(total) / self._seen
            if not math.isfinite(value):
                raise IntegrityError(
                    f"{split}_{name} is {value}",
                    where=f"epoch {self.current_epoch}",
                    fix="lower train.optimizer.lr, or lengthen train.schedule.warmup_epochs",
                )
            self.log(f"{split}_{name}", value)
        self._reset()

    def _reset(self) -> None:
        self._sums = {}
        self._seen = 0

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:  # Lightning's signature
        scheduler.step()
