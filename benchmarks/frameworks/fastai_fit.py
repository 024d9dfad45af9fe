"""fastai: `Learner.fit` on tensors in memory, its own data loaders. Its defaults, without bar and log.

The tensors are normalised beforehand, which its users do batch by batch.
"""

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks.frameworks.turns import BATCH, LR, Turns, options


class OnCall(Callback):
    order = 90  # after the recorder

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def after_epoch(self) -> None:
        self._turns.done(float(self.learn.recorder.values[-1][-1]))


def mnist_cnn() -> nn.Module:
    return nn.Sequential(
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


def main() -> None:
    given = options("fastai")
    torch.set_num_threads(given.threads)
    sides = []
    for side in ("train", "test"):
        images = torch.from_numpy(np.load(given.data / f"{side}_images.npy"))[:, None].float() / 255
        labels = torch.from_numpy(np.load(given.data / f"{side}_labels.npy").astype(np.int64))
        sides.append((images, labels))
    mean, std = sides[0][0].mean(), sides[0][0].std()
    data = [TensorDataset((images - mean) / std, labels) for images, labels in sides]
    learner = Learner(
        DataLoaders.from_dsets(*data, bs=BATCH),
        mnist_cnn(),
        loss_func=CrossEntropyLossFlat(),
        metrics=accuracy,
    )
    turns = Turns("fastai", "torch")
    with learner.no_logging():  # and no bar: that is an import of its own
        learner.fit(given.epochs, lr=LR, cbs=[OnCall(turns)])


if __name__ == "__main__":
    main()
