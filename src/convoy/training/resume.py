"""Where an interrupted training goes on: at its last checkpoint that is whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convoy.errors import IntegrityError
from convoy.training import checkpoints, recorder, saving
from convoy.training.journal import Event


@dataclass(frozen=True)
class Position:
    """What the checkpoint to go on from holds; without one, nothing is done yet."""

    epochs: int = 0  # whole ones
    within: bool = False  # and a part of the next
    steps: int = 0
    best_epoch: int = -1
    finished: bool = False
    history: list[Event] = field(default_factory=list, compare=False)  # `metrics` of the whole epochs


def recover(folder: Path, say: Callable[[str], None]) -> Position:
    """Find the newest checkpoint that can be trusted and make it `last.ckpt`; damaged ones are deleted.

    Args:
        say: told what was damaged, and what that costs.
    """
    last = checkpoints.last_path(folder)
    found = False
    for path in (last, checkpoints.previous_path(folder)):
        if not path.is_file():
            continue
        found = True
        try:
            checkpoint = checkpoints.read(path)
        except IntegrityError as error:
            say(f"{error.what}; it is not used")
            continue
        position = _position(checkpoint)
        if not _best_is_there(folder, path, position):
            say(f"{path.name} needs the best epoch's weights, which are damaged or gone; it is not used")
            continue
        if path != last:
            say(f"going on from {path.name}: epoch {position.epochs + 1}, after step {position.steps}")
            path.replace(last)
        return position
    for path in (last, checkpoints.previous_path(folder), checkpoints.best_path(folder)):
        path.unlink(missing_ok=True)
    if found:
        say("no whole checkpoint is left: training starts from the beginning")
    return Position()


def _position(checkpoint: dict[str, Any]) -> Position:
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
    return Position(
        epochs=int(progress["processed"]),
        within=progress["ready"] != progress["processed"],
        steps=int(checkpoint["global_step"]),
        best_epoch=checkpoints.best_epoch(checkpoint),
        finished=saving.finished(checkpoint),
        history=recorder.history(checkpoint),
    )


def _best_is_there(folder: Path, path: Path, position: Position) -> bool:
    """Whether the best epoch's weights are there, or will be made again on the way."""
    if position.best_epoch < 0:
        return True
    best, last = checkpoints.best_path(folder), checkpoints.last_path(folder)
    try:
        epoch = int(checkpoints.read(best)["epoch"])
    except (FileNotFoundError, IntegrityError):
        if position.best_epoch == position.epochs - 1 and not position.within:  # it is this checkpoint itself
            checkpoints.second_name(path, best)
            return True
        # it is of the epoch after this checkpoint, which training repeats
        return path != last and last.is_file() and best.is_file() and best.samefile(last)
    return epoch == position.best_epoch or epoch >= position.epochs
