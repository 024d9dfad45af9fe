"""Lightning's side of `finetune`: at the start of each epoch, what learns in it."""

import pytorch_lightning as pl

from convoy.config.finetune import FineTuneConfig
from convoy.config.train import TrainConfig
from convoy.training import finetune


class Freezing(pl.Callback):
    """Sets what learns at the start of each epoch; a frozen batch normalisation keeps its statistics.

    It has no state: an epoch decides.
    """

    def __init__(self, config: FineTuneConfig) -> None:
        self._config = config

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # several processes agree on what learns before the training starts
        finetune.freeze(pl_module.get_submodule("network"), self._config, 0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # a training may be taken up amid an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        finetune.apply(pl_module.get_submodule("network"), self._config, trainer.current_epoch)


def callbacks(config: TrainConfig) -> list[pl.Callback]:
    fine_tune = config.fine_tune
    return [Freezing(fine_tune)] if fine_tune is not None and fine_tune.freezes else []
