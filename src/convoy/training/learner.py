"""The LightningModule: a network, an objective and an optimiser. It knows no dataset."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from convoy.config.train import TrainConfig
from convoy.data.device import mixed
from convoy.data.loader import batch_key
from convoy.data.mixing import Mixing
from convoy.errors import IntegrityError
from convoy.training import optim
from convoy.training.groups import groups
from convoy.training.network import Network
from convoy.training.objectives.classification import Classification

TensorBatch = dict[str, Tensor]  # images (N, H, W, C) uint8, target (N,) int64


def _seed(key: int) -> None:
    """What torch.manual_seed does for the generators in use, without its millisecond of bookkeeping."""
    torch.default_generator.manual_seed(key)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(key)


class Learner(pl.LightningModule):
    """Trains a network; each step's randomness (dropout, mixing) is keyed by (seed, epoch, step).

    Epoch averages are summed on the device and read once an epoch, so no step waits for one. `train_loss` is
    the loss that was minimised: of smoothed labels, and of mixed samples against their mixed targets. So it
    stays above `val_loss` where samples are mixed, and says nothing about overfitting there.
    """

    def __init__(
        self,
        network: Network,
        objective: Classification,
        config: TrainConfig,
        steps_per_epoch: int,
        mixing: Mixing | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._objective = objective
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._mixing = mixing
        self._sums: dict[str, Tensor] = {}
        self._seen = 0

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = optim.optimizer(
            self._config.optimizer, groups(self.network, self._config.optimizer, self._config.fine_tune)
        )
        factor = optim.factor(
            self._config.schedule, epochs=self._config.epochs, steps_per_epoch=self._steps_per_epoch
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: TensorBatch, batch_idx: int) -> Tensor:
        key = batch_key(self._config.seed, self.current_epoch, batch_idx)
        _seed(key)
        images, target = batch["images"], batch["target"]
        count, height, width = images.shape[:3]
        mix = self._mixing.draw(key, count, (height, width)) if self._mixing else None
        logits = self(images if mix is None else mixed.images(images, mix))
        loss = self._objective.loss(
            logits, target if mix is None else mixed.target(target, mix, logits.shape[1])
        )
        self._add({"loss": loss.detach() * count}, count)
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
