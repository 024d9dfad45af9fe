"""Checkpoints that are whole or absent, cost training almost nothing, and run no code when they are read.

After every epoch `last.ckpt` is taken as bytes at once and written, synced and renamed by a thread while
the next epoch trains. In an epoch that is the best so far, `best.ckpt` becomes a second name of the same
file (a copy, where there are no hard links), just before `last.ckpt` does: whatever moment a kill picks, the
resumed epoch makes the same best again.
"""

import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from convoy.io import atomic_path


def best_path(folder: Path) -> Path:
    return folder / "best.ckpt"


def last_path(folder: Path) -> Path:
    return folder / "last.ckpt"


class BestEpoch(pl.Callback):
    """Remembers the epoch with the best monitored value; of equal ones, the first."""

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._sign = -1.0 if monitor.endswith("accuracy") else 1.0
        self._best = float("inf")
        self._epoch = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        value = self._sign * float(trainer.callback_metrics[self._monitor])
        if value < self._best:
            self._best, self._epoch = value, trainer.current_epoch

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "epoch": self._epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best, self._epoch = state_dict["best"], state_dict["epoch"]


class BackgroundCheckpointIO(TorchCheckpointIO):
    """Writes in a thread, one checkpoint at a time; reads with `weights_only`."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        assert storage_options is None
        content = BytesIO()
        torch.save(checkpoint, content)
        self.finish()
        is_best = checkpoint["callbacks"][BestEpoch.__qualname__]["epoch"] == checkpoint["epoch"]
        self._pending = self._writer.submit(_write, content, Path(path), is_best)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint

    def finish(self) -> None:
        """Wait for what is being written.

        Raises:
            OSError: it could not be written.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self._writer.shutdown()


def _write(content: BytesIO, last: Path, is_best: bool) -> None:
    with atomic_path(last) as temporary:
        temporary.write_bytes(content.getbuffer())
        if is_best:
            link = last.with_name(f".{best_path(last.parent).name}.part")
            link.unlink(missing_ok=True)
            try:
                os.link(temporary, link)
            except OSError:  # a file system without hard links (exFAT, some network shares)
                shutil.copyfile(temporary, link)
            link.replace(best_path(last.parent))


def callbacks(folder: Path, monitor: str) -> list[pl.Callback]:
    """What makes Lightning call `BackgroundCheckpointIO` after every epoch."""
    last = ModelCheckpoint(dirpath=folder, filename="last", monitor=None, enable_version_counter=False)
    return [BestEpoch(monitor), last]
