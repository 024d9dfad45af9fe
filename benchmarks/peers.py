"""The other sides: a hand-written PyTorch loop, and Lightning with a Dataset as its tutorials write it.

The loop takes our own optimiser, so that the framework is all the difference; plain Lightning makes its AdamW
as one does, with PyTorch's defaults: the same rule and numbers, in the implementation that comes unasked.
"""

import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import albumentations
import numpy as np
import pytorch_lightning as pl
import torch
from albumentations.pytorch import ToTensorV2
from numpy.typing import NDArray
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.ours import VALIDATION_BATCH, EpochClock, Task, Timed, quiet_trainer
from convoy.data.store import Store
from convoy.training import optimizers, schedules
from convoy.training.groups import groups

Order = Callable[[int], Tensor]  # epoch -> (N,) the order of the samples
Reseed = Callable[[int, int], None]  # before the step (epoch, step)


def random_order(length: int) -> Order:
    return lambda _epoch: torch.randperm(length)


def loop(task: Task, order: Order, reseed: Reseed | None = None, save: Path | None = None) -> Timed:
    """What one would write by hand: tensors in memory, indexing, autocast, no framework.

    Args:
        order: of the training samples.
        reseed: makes the steps' randomness that of our Learner, to prove equal work.
        save: file to keep the weights and the optimiser in after each epoch, as a careful loop does.
    """
    images, target = (torch.from_numpy(np.array(x)) for x in (task.data.train.images, task.data.train.target))
    val_images, val_target = (
        torch.from_numpy(np.array(x)) for x in (task.data.val.images, task.data.val.target)
    )
    config = task.config
    start = time.perf_counter()
    torch.manual_seed(config.seed)
    net = task.build().lay_out(task.precision.memory_format)
    steps_per_epoch = -(-len(images) // config.batch_size)
    optimizer = optimizers.optimizer(
        config.optimizer, groups(net, config.optimizer), head=optimizers.head(net)
    )
    factor = schedules.factor(config.schedule, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    criterion = nn.CrossEntropyLoss(label_smoothing=task.data.objective.label_smoothing)
    bf16 = task.precision.name == "bf16"
    set_up = time.perf_counter() - start
    ends, history, steps = [time.perf_counter()], [], 0
    for epoch in range(config.epochs):
        net.train()
        total = torch.zeros(())
        for step, chosen in enumerate(torch.split(order(epoch), config.batch_size)):
            if reseed is not None:
                reseed(epoch, step)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = criterion(net(images[chosen]), target[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(chosen)
            steps += 1
        net.eval()
        val_loss, right = torch.zeros(()), torch.zeros(())
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for at in range(0, len(val_target), VALIDATION_BATCH):
                x, y = val_images[at : at + VALIDATION_BATCH], val_target[at : at + VALIDATION_BATCH]
                logits = net(x)
                val_loss += nn.functional.cross_entropy(logits, y, reduction="sum")
                right += (logits.argmax(1) == y).sum()
        count = len(val_target)
        history.append(
            {
                "train_loss": float(total) / len(images),
                "val_loss": float(val_loss) / count,
                "val_accuracy": float(right) / count,
            }
        )
        if save is not None:
            torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, save)
        ends.append(time.perf_counter())
    periods = [after - before for before, after in pairwise(ends[1:])]
    return Timed(set_up, mean(periods), steps, history)


class PerSample(Dataset[tuple[Tensor, int]]):
    """One image at a time, augmented and normalised by albumentations: what its documentation shows."""

    def __init__(self, store: Store, transform: albumentations.Compose) -> None:
        self._images: NDArray[np.uint8] = np.array(store.images)
        self._target: list[int] = store.target.tolist()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._target)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(image=self._images[index])["image"], self._target[index]


class PlainModule(pl.LightningModule):
    """A LightningModule as in Lightning's introduction, with our network's body and schedule."""

    def __init__(self, task: Task, steps_per_epoch: int) -> None:
        super().__init__()
        self._task = task
        self._steps_per_epoch = steps_per_epoch
        self._format = task.precision.memory_format
        self.body = task.build().body.to(memory_format=self._format)

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.body(images.contiguous(memory_format=self._format))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002  # Lightning's
        images, target = batch
        loss = nn.functional.cross_entropy(self._logits(images), target)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:  # noqa: ARG002  # Lightning's
        images, target = batch
        logits = self._logits(images)
        self.log("val_loss", nn.functional.cross_entropy(logits, target))
        self.log("val_accuracy", (logits.argmax(1) == target).float().mean())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        config = self._task.config
        assert config.optimizer.name == "adamw"
        optimizer = torch.optim.AdamW(
            self.body.parameters(), lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay
        )
        factor = schedules.factor(
            config.schedule, epochs=config.epochs, steps_per_epoch=self._steps_per_epoch
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def plain_lightning(task: Task, workers: int) -> Timed:
    """Lightning with a per-sample Dataset, a DataLoader and its default checkpoint; no logger, no bar."""
    data, config = task.data, task.config
    finish = [
        albumentations.Normalize(data.preprocessor["mean"], data.preprocessor["std"], max_pixel_value=255.0),
        ToTensorV2(),
    ]
    policy = [
        getattr(albumentations, step["name"])(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in step.items() if k != "name"}
        )
        for step in data.transforms
    ]
    train = DataLoader(
        PerSample(data.train, albumentations.Compose([*policy, *finish])),
        batch_size=config.batch_size,
        shuffle=True,
        num_workers=workers,
    )
    val = DataLoader(
        PerSample(data.val, albumentations.Compose(finish)),
        batch_size=VALIDATION_BATCH,
        num_workers=workers,
    )
    torch.manual_seed(config.seed)
    module = PlainModule(task, len(train))
    clock = EpochClock()
    start = time.time()
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few workers, of a LightningModule without a logger
        trainer = quiet_trainer(task, callbacks=[clock], default_root_dir=folder)
        set_up = time.time() - start
        trainer.fit(module, train, val)
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        return Timed(set_up, clock.epoch(), int(trainer.global_step), [values])
