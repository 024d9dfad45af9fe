"""One training from stores to the best weights; interrupted and started again, it ends in the same bytes."""

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

from convoy.config.train import EarlyStoppingConfig, TrainConfig
from convoy.data.loader import Augment, BatchLoader, auto_workers
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.errors import ResourceError
from convoy.training import checkpoints, finetune
from convoy.training.feed import feed
from convoy.training.journal import Journal
from convoy.training.learner import Learner
from convoy.training.network import Network
from convoy.training.objectives.classification import Classification
from convoy.training.precision import Precision
from convoy.training.progress import EpochProgress
from convoy.training.recorder import Recorder

_VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Fitted:
    """The weights of the best epoch (by the monitored value), and where they come from."""

    weights: dict[str, torch.Tensor]
    best_epoch: int
    epochs_run: int


def pick_device(wanted: str) -> torch.device:
    """Raises:
    ResourceError: a GPU is asked for and there is none.
    """
    if wanted == "gpu" and not torch.cuda.is_available():
        raise ResourceError(
            "no GPU that torch can use",
            where="params.yaml: train.device",
            fix="set train.device: auto or cpu, or mend the driver (`nvidia-smi` should list the GPU)",
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def fit(
    build: Callable[[], Network],
    objective: Classification,
    config: TrainConfig,
    *,
    train: Sequence[Store],
    val: Store,
    augment: Augment | None,
    device: torch.device,
    precision: Precision,
    folder: Path,
    journal: Journal,
    mixing: Mixing | None = None,
) -> Fitted:
    """Train, or go on from `folder`/last.ckpt where a killed training left one.

    Args:
        build: makes the fresh network; torch is seeded before.
        augment: of the training images; on a GPU that has a form of all its transforms, their pixels are
            computed there.
        folder: of the checkpoints; belongs to exactly these inputs.
        journal: has its `start` event; epochs are appended.
        mixing: of each training batch with itself (mixup, cutmix).

    Raises:
        IntegrityError: a loss is not finite.
    """
    torch.manual_seed(config.seed)
    network = build().lay_out(precision.memory_format)
    workers = auto_workers() if config.loader.workers == "auto" else config.loader.workers
    loader = BatchLoader(
        train,
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=True,
        augment=augment,
        workers=workers,
        prefetch=config.loader.prefetch,
    )
    learner = Learner(network, objective, config, steps_per_epoch=len(loader), mixing=mixing)
    monitor = config.early_stopping.monitor if config.early_stopping else "val_loss"
    last = checkpoints.last_path(folder)
    resumed = _state(last)
    journal.keep(e for e in journal.events() if e["event"] != "end" and e.get("step", -1) < resumed.epochs)
    if not resumed.stopped:
        trainer = _trainer(config, device, precision, folder, journal, monitor)
        with warnings.catch_warnings():
            # Lightning 2.6 uses a name that torch 2.14 deprecates; the folder is meant to hold checkpoints
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
            trainer.fit(
                learner,
                feed(loader, device, lambda: int(trainer.current_epoch)),
                feed(BatchLoader([val], batch_size=_VALIDATION_BATCH, workers=min(workers, 1)), device),
                ckpt_path=str(last) if resumed.epochs else None,
            )
    best = torch.load(checkpoints.best_path(folder), map_location="cpu", weights_only=True)
    prefix = "network."
    return Fitted(
        weights={
            name.removeprefix(prefix): value.contiguous()
            for name, value in best["state_dict"].items()
            if name.startswith(prefix)
        },
        best_epoch=int(best["epoch"]),
        epochs_run=_state(last).epochs,
    )


@dataclass(frozen=True)
class _State:
    epochs: int  # whole epochs in the checkpoint
    stopped: bool  # early stopping had ended the training


def _state(last: Path) -> _State:
    if not last.is_file():
        return _State(0, False)
    checkpoint: dict[str, Any] = torch.load(last, map_location="cpu", weights_only=True)
    stopped = any(
        name.startswith("EarlyStopping") and state["wait_count"] >= state["patience"]
        for name, state in checkpoint["callbacks"].items()
    )
    return _State(int(checkpoint["epoch"]) + 1, stopped)


def _trainer(
    config: TrainConfig,
    device: torch.device,
    precision: Precision,
    folder: Path,
    journal: Journal,
    monitor: str,
) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    stopping = [_early_stopping(config.early_stopping)] if config.early_stopping else []
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=precision.lightning,
        max_epochs=config.epochs,
        callbacks=[
            *stopping,
            *finetune.callbacks(config),
            EpochProgress(config.epochs),
            Recorder(journal),
            *checkpoints.callbacks(folder, monitor),
        ],
        plugins=[checkpoints.BackgroundCheckpointIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )


def _early_stopping(config: EarlyStoppingConfig) -> EarlyStopping:
    return EarlyStopping(
        monitor=config.monitor,
        mode="max" if config.monitor == "val_accuracy" else "min",
        patience=config.patience,
        min_delta=config.min_delta,
    )
