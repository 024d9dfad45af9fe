"""Whether an interrupted training can be resumed to the bit here, and what to do where it cannot.

A training is known by what is trained: settings, data, code. Beside its checkpoints lies the environment that
they were made in: whatever of the machine and its settings changes the last bits of the weights.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.config.engine import RESUME, TRAIN_AS
from convoy.errors import ConfigError, ResourceError
from convoy.io import read_json, write_json
from convoy.training import resume

MODES = ("exact", "inexact", "restart")

Environment = Mapping[str, Any]


@dataclass(frozen=True)
class Settled:
    """How a training begins.

    Attributes:
        key: of the run that it belongs to.
        resumed: it goes on with that run.
        inexact: the changes of environment on the way, `{"epoch": …, "changed": {fact: [old, new]}}`.
    """

    key: str
    resumed: bool
    inexact: list[dict[str, Any]]


def mode() -> str:
    """What the user asks for, from the environment: DVC runs the stage, and passes no options on.

    Raises:
        ConfigError: it is none of `MODES`.
    """
    wanted = os.environ.get(RESUME) or "exact"
    if wanted not in MODES:
        raise ConfigError(
            f"{RESUME} is {wanted!r}, which is none of {', '.join(MODES)}",
            where="environment",
            fix=f"unset {RESUME}",
        )
    return wanted


def recorded(folder: Path) -> dict[str, Any]:
    """The environment that the checkpoints in `folder` were made in; where there are none, that of a training
    that is to be repeated (`convoy reproduce` names it); else empty.
    """
    file = _file(folder)
    if file.is_file():
        return dict(read_json(file)["environment"])
    return dict(json.loads(os.environ.get(TRAIN_AS) or "{}"))


def settle(folder: Path, key: str, environment: Environment, say: Callable[[str], None]) -> Settled:
    """Take up the training whose checkpoints lie in `folder`, or begin anew there.

    Args:
        folder: belongs to what is trained.
        key: of the run, should it begin anew.
        say: told what is given up.

    Raises:
        ResourceError: it was interrupted in another environment, and nobody said what to do then.
    """
    wanted = mode()
    file = _file(folder)
    if wanted == "restart" and folder.is_dir():
        say("the interrupted training is given up, as asked: training starts from the beginning")
        shutil.rmtree(folder)
    if not file.is_file():
        return _begin(folder, key, environment)
    record = read_json(file)
    changed = _changed(record["environment"], environment)
    if not changed:
        return Settled(record["key"], True, record["inexact"])
    done = resume.recover(folder, say)
    if done.finished or done.steps == 0:
        shutil.rmtree(folder)
        return _begin(folder, key, environment)
    told = ", ".join(f"{name} {old} → {new}" for name, (old, new) in changed.items())
    if wanted != "inexact":
        raise ResourceError(
            f"a training of these settings was interrupted in epoch {done.epochs + 1}, "
            f"and cannot be resumed exactly here: {told}",
            where=str(folder),
            fix="go on where it was made; or `convoy run --allow-inexact-resume` goes on here, with other "
            "last bits, and records that; or `convoy run --restart-training` begins anew "
            f"(dvc repro: {RESUME}=inexact or restart)",
        )
    say(f"going on in epoch {done.epochs + 1} inexactly, as asked: {told}")
    inexact = [*record["inexact"], {"epoch": done.epochs, "changed": changed}]
    write_json(file, {"key": record["key"], "environment": dict(environment), "inexact": inexact})
    return Settled(record["key"], True, inexact)


def _begin(folder: Path, key: str, environment: Environment) -> Settled:
    write_json(_file(folder), {"key": key, "environment": dict(environment), "inexact": []})
    return Settled(key, False, [])


def _file(folder: Path) -> Path:
    return folder / "environment.json"


def _changed(old: Environment, new: Environment) -> dict[str, list[Any]]:
    return {
        name: [old.get(name), new.get(name)]
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    }
