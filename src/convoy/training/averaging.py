"""Averages of the weights, which are what is validated, kept and resumed from: EMA and SWA."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from convoy.config.regularise import EmaConfig, SwaConfig
from convoy.config.train import TrainConfig
from convoy.data.loader import batch_key
from convoy.training import randomness
from convoy.training.network import Network


class _Averaging(WeightAveraging):
    """Lightning's: it swaps the average in for validation, checkpoints both and resumes both."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:  # a counter on a GPU would be waited for at every step
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()


class Ema(_Averaging):
    """average = d average + (1 - d) weights after every step, of batch statistics, too.

    d is `decay`; with warm-up at most (1 + n) / (10 + n) after n steps.
    """

    def __init__(self, config: EmaConfig) -> None:
        super().__init__(use_buffers=True, multi_avg_fn=self._blend)
        self._config = config

    def decay(self, steps: int) -> float:
        if not self._config.warmup:
            return self._config.decay
        return min(self._config.decay, (1 + steps) / (10 + steps))

    def _blend(self, average: list[Tensor], current: list[Tensor], _count: Any) -> None:
        if average[0].is_floating_point():
            # lerp leaves what does not change as it is, to the bit
            torch._foreach_lerp_(average, current, 1 - self.decay(self._latest_update_step))
        else:
            torch._foreach_copy_(average, current)


class Swa(_Averaging):
    """The mean of the weights at the ends of all epochs from `start_epoch` on; before, the latest weights.

    The average is brought up before the validation of its epoch, so what was validated is what is kept. Batch
    normalisation's statistics belong to weights that never were: one pass over the epoch's training batches
    finds those of the average.
    """

    def __init__(self, config: SwaConfig, seed: int) -> None:
        super().__init__(use_buffers=True, multi_avg_fn=_mean)
        self._config = config
        self._seed = seed

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return False  # on_train_batch_end does it

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 < trainer.num_training_batches:
            return
        assert self._average_model is not None
        if trainer.current_epoch <= self._config.start_epoch:
            self._average_model.n_averaged.zero_()  # the next update copies
        self._average_model.update_parameters(pl_module)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)
        network = pl_module.network
        assert isinstance(network, Network)
        normalised = any(isinstance(module, _BatchNorm) for module in network.modules())
        if trainer.current_epoch <= self._config.start_epoch or not normalised:
            return
        loader = trainer.train_dataloader
        assert loader is not None
        randomness.seed(batch_key(self._seed, trainer.current_epoch, 0))  # of dropout
        with trainer.precision_plugin.forward_context():
            (name,) = network.inputs
            update_bn((batch[name] for batch in loader), network, pl_module.device)


def _mean(average: list[Tensor], current: list[Tensor], count: Any) -> None:
    """Of count + 1 values; counters are taken as they are (torch's own mean fails on them on a GPU)."""
    if average[0].is_floating_point():
        torch._foreach_lerp_(average, current, 1 / (int(count) + 1))
    else:
        torch._foreach_copy_(average, current)


def callbacks(config: TrainConfig) -> list[pl.Callback]:
    """None or one."""
    if isinstance(config.averaging, EmaConfig):
        return [Ema(config.averaging)]
    return [Swa(config.averaging, config.seed)] if isinstance(config.averaging, SwaConfig) else []
