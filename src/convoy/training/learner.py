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
from convoy.training import clipping, optimizers, penalties, randomness, schedules, world
from convoy.training.accumulation import Accumulation
from convoy.training.feed import TensorBatch
from convoy.training.finite import FiniteWatch
from convoy.training.groups import groups
from convoy.training.network import Network
from convoy.training.objectives._base import Objective

_FIX = "lower train.optimizer.lr, lengthen train.schedule.warmup_epochs or set train.gradient_clipping"


class Learner(pl.LightningModule):
    """Trains a network; each step's randomness (dropout, mixing) is keyed by (seed, epoch, step).

    Epoch averages are summed on the device and read once an epoch, so no step waits for one. `train_loss` is
    the objective's loss that was minimised: of smoothed labels, and of mixed samples against their mixed
    targets. So it stays above `val_loss` where samples are mixed, and says nothing about overfitting there.
    What the penalties (l1, l2) add to it is `train_penalty`.

    Args:
        batches: in an epoch, which hold `samples` together.
        mixing: of each training batch with itself.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        config: TrainConfig,
        *,
        batches: int,
        samples: int,
        mixing: Mixing | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._objective = objective
        self._config = config
        self._accumulation = Accumulation(config.accumulate_batches, batches, config.batch_size, samples)
        self._mixing = mixing
        self._penalty = penalties.penalty(network, config.l1, config.l2)
        self._losses, self._gradients = FiniteWatch(), FiniteWatch()
        self._batch = 0  # of the epoch, the latest
        self._sums: dict[str, Tensor] = {}
        self._seen = 0

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(*inputs)
        return logits

    def configure_optimizers(self) -> OptimizerLRScheduler:
        clipped_fp16 = self._config.gradient_clipping is not None and self.trainer.precision == "16-mixed"
        optimizer = optimizers.optimizer(
            self._config.optimizer,
            groups(self.network, self._config.optimizer, self._config.fine_tune),
            head=optimizers.head(self.network),
            fused=not clipped_fp16,
        )
        following = schedules.schedulers(
            optimizer,
            self._config,
            batches_per_epoch=self._accumulation.batches,
            steps_per_epoch=self._accumulation.steps,
        )
        return [optimizer], following  # type: ignore[return-value]  # Lightning types no list of dicts

    def training_step(self, batch: TensorBatch, batch_idx: int) -> Tensor:
        count = len(batch["target"])
        loss = self.loss(batch, self.current_epoch, batch_idx)
        self._batch = batch_idx
        self._expect_finite("loss", self._losses, loss)
        sums = {"loss": loss.detach() * count}
        share, once = self._accumulation.weights(batch_idx)
        share *= batch.get("share", 1)  # the mean of the ranks' gradients is then that of the whole batch
        if share != 1:
            loss = loss * share
        if self._penalty is not None:
            penalty = self._penalty()
            sums["penalty"] = penalty.detach() * count
            loss = loss + penalty * once
        self._add(sums, count, batch)
        return loss

    def loss(self, batch: TensorBatch, epoch: int, number: int) -> Tensor:
        """The objective's loss of batch `number` of an epoch, mixed where that is asked for."""
        key = batch_key(self._config.seed, epoch, number)
        randomness.seed(key)
        inputs, target = self._inputs(batch), self._objective.target(batch)
        if self._mixing is None or (mix := self._mixing.draw(key, *_sizes(*inputs))) is None:
            return self._objective.loss(self(*inputs), target)
        (images,) = inputs
        logits = self(mixed.images(images, mix))
        return self._objective.loss(logits, mixed.target(target, mix, logits.shape[1]))

    def _inputs(self, batch: TensorBatch) -> list[Tensor]:
        return [batch[name] for name in self.network.inputs]

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's own refuses fused optimisers in mixed precision, of which only fp16 needs it."""
        section = self._config.gradient_clipping
        if section is None:
            return
        norm = clipping.clip((p for group in optimizer.param_groups for p in group["params"]), section)
        if self.trainer.precision != "16-mixed":  # whose scaler looks for overflows to skip a step
            self._expect_finite("gradient's norm", self._gradients, norm)

    def validation_step(self, batch: TensorBatch, batch_idx: int) -> None:
        measures = self._objective.measures(self(*self._inputs(batch)), self._objective.target(batch))
        self._add(measures, len(batch["target"]), batch)

    def on_train_epoch_start(self) -> None:
        self._reset()

    def on_validation_epoch_start(self) -> None:
        self._expect_no_late_find()
        self._publish("train")  # Lightning validates inside the training epoch: its sums end here

    def on_validation_epoch_end(self) -> None:
        self._publish("val")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Within an epoch, its sums up to here (of several ranks, of all)."""
        self._expect_no_late_find()
        if self._sums:
            self._expect_finite_weights()
        sums, seen = world.total(self._sums, self._seen)
        checkpoint["epoch_so_far"] = {"sums": sums, "seen": seen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if world.is_first():
            self._sums, self._seen = checkpoint["epoch_so_far"]["sums"], checkpoint["epoch_so_far"]["seen"]

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:  # Lightning's signature
        if metric is None:
            scheduler.step()
        else:
            scheduler.step(metric)

    def _add(self, sums: dict[str, Tensor], count: int, batch: TensorBatch) -> None:
        if batch.get("share") == 0:  # a row in place of none
            sums, count = {name: torch.zeros_like(value) for name, value in sums.items()}, 0
        for name, value in sums.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._seen += count

    def _publish(self, split: str) -> None:
        self._sums, self._seen = world.total(self._sums, self._seen)
        for name, total in self._sums.items():
            value = float(total) / self._seen
            if not math.isfinite(value):
                raise IntegrityError(
                    f"{split}_{name} is {value}", where=f"epoch {self.current_epoch + 1}", fix=_FIX
                )
            self.log(f"{split}_{name}", value)
        self._reset()

    def _reset(self) -> None:
        self._sums = {}
        self._seen = 0

    def _expect_finite(self, what: str, watch: FiniteWatch, value: Tensor) -> None:
        batch = self.current_epoch * self._accumulation.batches + self._batch
        self._refuse(what, watch.see(value, batch))

    def _expect_finite_weights(self) -> None:
        """Within an epoch the last step's loss says nothing yet of the weights that it left."""
        norms = torch.stack(torch._foreach_norm([p.detach() for p in self.parameters()]))
        if not bool(norms.isfinite().all()):
            self._refuse("weights' norm", self.current_epoch * self._accumulation.batches + self._batch)

    def _expect_no_late_find(self) -> None:
        self._refuse("loss", self._losses.found())
        self._refuse("gradient's norm", self._gradients.found())

    def _refuse(self, what: str, batch: int | None) -> None:
        """Raises:
        IntegrityError: a batch is given: that of the training, from 0, whose value was not finite.
        """
        if batch is None:
            return
        accumulation = self._accumulation
        epoch, number = divmod(batch, accumulation.batches)
        step = epoch * accumulation.steps + number // accumulation.every
        raise IntegrityError(
            f"the {what} is not finite",
            where=f"epoch {epoch + 1}, batch {number + 1} of {accumulation.batches}, step {step + 1}",
            fix=f"{_FIX}; {self._kept()}",
        )

    def _kept(self) -> str:
        """Where the last good checkpoint is."""
        if self.trainer.current_epoch == 0:
            return "no epoch was finished before"
        folder = self.trainer.default_root_dir
        return f"the checkpoint of epoch {self.trainer.current_epoch} is kept in {folder}"


def _sizes(images: Tensor) -> tuple[int, tuple[int, int]]:
    """Number, height and width of pictures, which alone are mixed."""
    return len(images), (images.shape[1], images.shape[2])
