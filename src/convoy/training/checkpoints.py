"""Checkpoints that are whole or absent, cost training almost nothing, and run no code when they are read.

`last.ckpt` is copied in memory at once, and written, synced and renamed by a thread while training goes on.
The one before it stays as `previous.ckpt`. In an epoch that is the best so far, `best.ckpt` becomes a second
name of the same file (a copy, where there are no hard links), just before `last.ckpt` does: whatever moment a
kill picks, the resumed epoch makes the same best again.

A file carries the SHA-256 of its content as the comment of the zip archive that `torch.save` writes: it
cannot be parted from the file, and `torch.load` reads the file as any other.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from convoy.config.stopping import rises
from convoy.errors import IntegrityError
from convoy.io import atomic_path

_NO_COMMENT = b"\x00\x00"  # how a zip archive ends: the comment's length, the comment
_DIGEST = 64  # hexadecimal digits
_SEALED = _DIGEST.to_bytes(2, "little")


def best_path(folder: Path) -> Path:
    return folder / "best.ckpt"


def last_path(folder: Path) -> Path:
    return folder / "last.ckpt"


def previous_path(folder: Path) -> Path:
    return folder / "previous.ckpt"


def read(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU.

    Raises:
        IntegrityError: its bytes are not those that were written.
        FileNotFoundError: there is none.
    """
    content = memoryview(path.read_bytes())
    end = len(content) - _DIGEST - len(_SEALED)
    if end < 0 or content[end : end + len(_SEALED)] != _SEALED:
        raise _damaged(path, "it is cut short")
    if _digest(content[:end]) != bytes(content[-_DIGEST:]):
        raise _damaged(path, "its content does not give the SHA-256 in it")
    checkpoint: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return checkpoint


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"the checkpoint {path.name} is damaged: {why}",
        where=str(path),
        fix="check the disk; delete the folder to train from the beginning",
    )


def _digest(body: memoryview) -> bytes:
    """Of an archive, without the end that says whether it has a comment."""
    return hashlib.sha256(body).hexdigest().encode()


def seal(content: BytesIO) -> None:
    """Append the digest of what `torch.save` wrote."""
    with content.getbuffer() as buffer:
        assert buffer[-len(_NO_COMMENT) :] == _NO_COMMENT, "torch.save no longer writes zip archives"
        digest = _digest(buffer[: -len(_NO_COMMENT)])
    content.seek(-len(_NO_COMMENT), os.SEEK_END)
    content.write(_SEALED + digest)


class BestEpoch(pl.Callback):
    """Remembers the epoch whose weights are kept: that of the best monitored value, of equal ones the first.

    Args:
        keep: `last`: each epoch counts as better than those before it.
    """

    def __init__(self, monitor: str, keep: Literal["best", "last"] = "best") -> None:
        self._monitor = monitor
        self._sign = -1.0 if rises(monitor) else 1.0
        self._last = keep == "last"
        self._best = float("inf")
        self._epoch = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        value = self._sign * float(trainer.callback_metrics[self._monitor])
        if self._last or value < self._best:
            self._best, self._epoch = value, trainer.current_epoch

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "epoch": self._epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best, self._epoch = state_dict["best"], state_dict["epoch"]


def best_epoch(checkpoint: dict[str, Any]) -> int:
    """The best epoch when a checkpoint was taken, from 0; -1: there was none yet."""
    return int(checkpoint["callbacks"][BestEpoch.__qualname__]["epoch"])


class BackgroundCheckpointIO(TorchCheckpointIO):
    """Writes in a thread, one checkpoint at a time; reads with `weights_only`.

    Args:
        ahead: puts on the disk what must be there before a checkpoint that relies on it.
    """

    def __init__(self, ahead: Callable[[], None] = lambda: None) -> None:
        self._ahead = ahead
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        assert storage_options is None
        self.finish()
        kept = apply_to_collection(checkpoint, Tensor, lambda value: value.detach().to("cpu", copy=True))
        is_best = best_epoch(checkpoint) == checkpoint["epoch"]
        self._pending = self._writer.submit(_write, kept, Path(path), is_best, self._ahead)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        return read(Path(path))

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


def _write(checkpoint: dict[str, Any], last: Path, is_best: bool, ahead: Callable[[], None]) -> None:
    content = BytesIO()
    torch.save(checkpoint, content)
    seal(content)
    with atomic_path(last) as temporary:
        with temporary.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # before any name is given to it
        ahead()
        if is_best:
            second_name(temporary, best_path(last.parent))
        if last.is_file():
            second_name(last, previous_path(last.parent))


def second_name(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, whatever it was before."""
    link = target.with_name(f".{target.name}.part")
    link.unlink(missing_ok=True)
    try:
        os.link(source, link)
    except OSError:  # a file system without hard links (exFAT, some network shares)
        shutil.copyfile(source, link)
    link.replace(target)
