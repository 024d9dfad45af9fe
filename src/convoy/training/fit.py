"""One training from stores to the best weights; interrupted and started again, it ends in the same bytes."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy

from convoy.config.engine import DistributedConfig
from convoy.config.train import TrainConfig
from convoy.data.loader import PLAIN, Augment, BatchLoader, Loading, auto_workers
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.errors import IntegrityError, ResourceError
from convoy.training import averaging, checkpoints, freezing, stopping
from convoy.training.feed import feed
from convoy.training.interruption import Interruption
from convoy.training.journal import Journal
from convoy.training.learner import Learner
from convoy.training.network import Network
from convoy.training.objectives._base import Objective
from convoy.training.pace import Pace
from convoy.training.precision import Precision
from convoy.training.progress import EpochProgress, say
from convoy.training.recorder import Recorder
from convoy.training.resume import Position, recover
from convoy.training.saving import Saving
from convoy.training.world import ALONE, World

_VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Fitted:
    """The weights of the best epoch (by the monitored value), and where they come from."""

    weights: dict[str, torch.Tensor]
    best_epoch: int
    epochs_run: int
    ended_by: str | None = None  # the section that ended it before its last epoch


def pick_device(wanted: str, distributed: DistributedConfig | None = None) -> torch.device:
    """Raises:
    ResourceError: a GPU is asked for and there is none, or not one for each process.
    """
    if wanted == "gpu" and not torch.cuda.is_available():
        raise ResourceError(
            "no GPU that torch can use",
            where="params.yaml: train.device",
            fix="set train.device: auto or cpu, or mend the driver (`nvidia-smi` should list the GPU)",
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    if distributed is not None:
        _expect_places(device, distributed)
    return device


def _expect_places(device: torch.device, config: DistributedConfig) -> None:
    if device.type == "cuda" and config.processes > torch.cuda.device_count():
        raise ResourceError(
            f"{config.processes} processes need a GPU each, and there are {torch.cuda.device_count()}",
            where="params.yaml: train.distributed.processes",
            fix="ask for fewer processes, or set train.device: cpu",
        )
    if device.type == "cpu" and config.backend == "nccl":
        raise ResourceError(
            "nccl needs GPUs, and there is none that torch can use",
            where="params.yaml: train.distributed.backend",
            fix="set train.distributed.backend: auto",
        )


def fit(
    build: Callable[[], Network],
    objective: Objective,
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
    loading: Loading = PLAIN,
) -> Fitted:
    """Train, or go on from `folder`/last.ckpt where an interrupted training left one.

    Args:
        build: makes the fresh network; torch is seeded before.
        augment: of the training samples; on a GPU that has a form of all its transforms, pixels are computed
            there.
        folder: of the checkpoints; belongs to exactly these inputs.
        journal: has its `start` event; epochs are appended.
        mixing: of each training batch with itself (mixup, cutmix).
        loading: how the modality's batches are made.

    Raises:
        IntegrityError: a loss is not finite.
        SystemExit: SIGTERM or SIGINT came; a checkpoint was written.
    """
    if not prepare(folder, journal).finished:
        advance(
            build,
            objective,
            config,
            train=train,
            val=val,
            augment=augment,
            device=device,
            precision=precision,
            folder=folder,
            journal=journal,
            mixing=mixing,
            loading=loading,
        )
    return result(folder)


def advance(
    build: Callable[[], Network],
    objective: Objective,
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
    loading: Loading = PLAIN,
    world: World = ALONE,
) -> None:
    """What each rank of `fit` does after `prepare`: train to the end; what came of it lies in `folder`."""
    torch.manual_seed(config.seed)
    network = build().lay_out(precision.memory_format)
    if precision.compiled:
        network.compile()
    workers = auto_workers() if config.loader.workers == "auto" else config.loader.workers
    loader = BatchLoader(
        train,
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=True,
        augment=augment,
        workers=workers,
        prefetch=config.loader.prefetch,
        loading=loading,
    )
    learner = Learner(network, objective, config, batches=len(loader), samples=loader.samples, mixing=mixing)
    if device.type == "cuda" and world.size > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    last = checkpoints.last_path(folder)
    with Interruption() as interruption, warnings.catch_warnings():
        trainer = _trainer(config, device, precision, folder, journal, interruption, loader.samples)
        # Lightning 2.6 uses a name that torch 2.14 deprecates; the folder is meant to hold checkpoints; sums
        # of the ranks are added before they are logged
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
        warnings.filterwarnings("ignore", message="It is recommended to use .*sync_dist=True")
        trainer.fit(
            learner,
            feed(loader, device, lambda: int(trainer.current_epoch), world=world),
            feed(
                BatchLoader(
                    [val],
                    batch_size=_VALIDATION_BATCH,
                    workers=min(workers, 1),
                    loading=replace(loading, length=None),
                ),
                device,
                world=world,
            ),
            ckpt_path=str(last) if last.is_file() else None,
        )


def prepare(folder: Path, journal: Journal) -> Position:
    """Find the checkpoint to go on from, and make the journal tell of the epochs that it holds, no others."""
    folder.mkdir(parents=True, exist_ok=True)
    done = recover(folder, say)
    journal.keep([*(e for e in journal.events() if e["event"] == "start"), *done.history])
    return done


def result(folder: Path) -> Fitted:
    """What a finished training left.

    Raises:
        IntegrityError: the best epoch's weights are damaged.
    """
    last = checkpoints.read(checkpoints.last_path(folder))
    best = checkpoints.read(checkpoints.best_path(folder))
    found, expected = int(best["epoch"]), checkpoints.best_epoch(last)
    if found != expected:
        raise IntegrityError(
            f"best.ckpt is of epoch {found + 1}, and the best one was {expected + 1}",
            where=str(folder),
            fix="delete the folder to train from the beginning",
        )
    prefix = "network."
    return Fitted(
        weights={
            name.removeprefix(prefix): value.contiguous()
            for name, value in best["state_dict"].items()
            if name.startswith(prefix)
        },
        best_epoch=int(best["epoch"]),
        epochs_run=int(last["epoch"]) + 1,
        ended_by=stopping.ended_by(last["callbacks"]),
    )


def _trainer(
    config: TrainConfig,
    device: torch.device,
    precision: Precision,
    folder: Path,
    journal: Journal,
    interruption: Interruption,
    samples: int,
) -> pl.Trainer:
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    monitor = stopping.monitor(config)
    pace = Pace(samples)
    gpu = device.type == "cuda"
    ranks = config.distributed.ranks
    backend = None if config.distributed.backend == "auto" else config.distributed.backend
    return pl.Trainer(
        accelerator="gpu" if gpu else "cpu",
        devices=config.distributed.processes,
        num_nodes=config.distributed.nodes,
        strategy=DDPStrategy(process_group_backend=backend) if ranks > 1 else "auto",
        sync_batchnorm=gpu and ranks > 1,
        precision=precision.lightning,
        deterministic=True if gpu and config.deterministic else None,
        max_epochs=config.epochs,
        accumulate_grad_batches=config.accumulate_batches,
        callbacks=[
            *averaging.callbacks(config),
            *stopping.callbacks(config),
            *freezing.callbacks(config),
            pace,
            EpochProgress(config.epochs, config.batch_size, pace, monitor),
            Recorder(journal, pace),
            checkpoints.BestEpoch(monitor, config.keep),
            Saving(folder, config.checkpoint_minutes, interruption),
        ],
        # the ranks were started by us, whatever scheduler this runs under
        plugins=[
            checkpoints.BackgroundCheckpointIO(ahead=journal.sync),
            *([LightningEnvironment()] if ranks > 1 else []),
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
