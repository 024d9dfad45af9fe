"""Checkpoints that are whole or absent, and that run no code when they are read."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from convoy.io import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes through a temporary file in the same folder; reads with `weights_only`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        assert storage_options is None
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint


def best_path(folder: Path) -> Path:
    return folder / "best.ckpt"


def last_path(folder: Path) -> Path:
    return folder / "last.ckpt"


def callbacks(folder: Path, monitor: str) -> list[ModelCheckpoint]:
    """`best.ckpt` by the monitored value, then `last.ckpt` after every epoch (which records the best)."""
    best = ModelCheckpoint(
        dirpath=folder,
        filename="best",
        monitor=monitor,
        mode="max" if monitor.endswith("accuracy") else "min",
        enable_version_counter=False,
    )
    last = ModelCheckpoint(dirpath=folder, filename="last", monitor=None, enable_version_counter=False)
    return [best, last]
