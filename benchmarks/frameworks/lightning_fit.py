"""Lightning as its introduction shows it: a Dataset, a DataLoader, a LightningModule, `Trainer.fit`.

Its defaults (precision, no workers, a checkpoint an epoch) without its logger and its progress bar.
"""

import logging
import warnings
from tempfile import TemporaryDirectory

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.frameworks.turns import BATCH, LR, Turns, options


class Digits(Dataset[tuple[Tensor, int]]):
    """One image at a time, scaled and normalised."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8], mean: float, std: float) -> None:
        self._images, self._labels = images, labels.tolist()
        self._mean, self._std = mean, std

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self._images[index])[None].float() / 255
        return (image - self._mean) / self._std, self._labels[index]


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 1024),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(1024, 10),
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002  # Lightning's
        images, target = batch
        loss = nn.functional.cross_entropy(self.body(images), target)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:  # noqa: ARG002  # Lightning's
        images, target = batch
        logits = self.body(images)
        self.log("val_loss", nn.functional.cross_entropy(logits, target))
        self.log("val_accuracy", (logits.argmax(1) == target).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LR)


class OnCall(pl.Callback):
    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self._turns.done(float(trainer.callback_metrics["val_accuracy"]))


def main() -> None:
    given = options("Lightning")
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")  # of too few workers, of a LightningModule without a logger
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    arrays = {
        side: (np.load(given.data / f"{side}_images.npy"), np.load(given.data / f"{side}_labels.npy"))
        for side in ("train", "test")
    }
    scaled = arrays["train"][0] / 255
    mean, std = float(scaled.mean()), float(scaled.std())
    loaders = [
        DataLoader(Digits(*arrays[side], mean, std), batch_size=BATCH, shuffle=side == "train")
        for side in ("train", "test")
    ]
    turns = Turns("pytorch-lightning", "torch")
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=given.epochs,
            callbacks=[OnCall(turns)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(Module(), train_dataloaders=loaders[0], val_dataloaders=loaders[1])


if __name__ == "__main__":
    main()
