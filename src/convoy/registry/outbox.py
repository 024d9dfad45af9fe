"""What waits on this machine to be sent to MLflow, known without asking MLflow.

Everything lies in a training's folder, `.convoy/runs/<key>/`, beside its journal:

    origin.json   the experiment; commit, machine and environment when the training began, as a run that is
                  sent days later must not claim those of that day
    unsent/       the evaluation that found no server: the files of a project that `tracking` sends,
                  at their places
    sent.json     for each server, the run, and the state of the journal when all of it had arrived there
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convoy.environment import state_dir
from convoy.io import fresh_dir, read_json, write_json
from convoy.layout import AUGMENT, EVALUATE, PARAMS, PREVIEWS, TRAIN
from convoy.registry import runs
from convoy.registry.client import shown
from convoy.training import journal

_EVALUATION = (PARAMS, EVALUATE, TRAIN / "training.json", TRAIN / "history.csv")


def journals(root: Path) -> list[Path]:
    """Of all trainings that this project knows."""
    return sorted((state_dir(root) / "runs").glob(f"*/{journal.NAME}"))


def waiting(root: Path, uri: str, *, everything: bool = False) -> Iterator[Path]:
    """Journals that a server lacks something of, and whose training has ended, one way or the other.

    Args:
        uri: of the tracking server.
        everything: those that are marked as sent, too: the server may have lost them.
    """
    for path in journals(root):
        complete = is_sent(path, uri) and kept_evaluation(path) is None and not everything
        if not complete and _begun(path) and not journal.Journal(path).written():
            yield path


def _begun(path: Path) -> bool:
    first = next(journal.read(path), None)
    return first is not None and first["event"] == "start" and "key" in first


def is_sent(path: Path, uri: str) -> bool:
    """Whether the whole journal, as it is now, has arrived."""
    return shown(uri) in runs_that_have(path)


def runs_that_have(path: Path) -> dict[str, str]:
    """Server and run of each place where the whole journal, as it is now, has arrived."""
    now = _state(path)
    return {uri: str(entry["run"]) for uri, entry in _sent(path).items() if entry["state"] == now}


def mark_sent(path: Path, uri: str, run_id: str) -> None:
    write_json(_mark(path), {**_sent(path), shown(uri): {"state": _state(path), "run": run_id}})


def _sent(path: Path) -> dict[str, Any]:
    try:
        found = read_json(_mark(path))
    except (OSError, ValueError):  # a mark that is not to be read is none: what was sent is found again
        return {}
    whole = isinstance(found, dict) and all(isinstance(e, dict) and "run" in e for e in found.values())
    return found if whole else {}


def _mark(path: Path) -> Path:
    return path.with_name("sent.json")


def _state(path: Path) -> list[int]:
    """Size in bytes and time of the last change; of a file that is gone, none."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


@dataclass(frozen=True)
class Origin:
    """Where a training was made, and the MLflow experiment that its run belongs to."""

    experiment: str
    tags: Mapping[str, str]


def record_origin(path: Path, root: Path, experiment: str) -> Origin:
    """Write the origin down when a training begins; a training that is taken up again has one already."""
    found = origin(path)
    if found is None:
        found = Origin(experiment, runs.origin_tags(root))
        write_json(path.with_name("origin.json"), asdict(found))
    return found


def origin(path: Path) -> Origin | None:
    """What was written down; None where nothing was."""
    try:
        found = read_json(path.with_name("origin.json"))
        return Origin(str(found["experiment"]), {str(name): str(v) for name, v in found["tags"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def keep_evaluation(root: Path) -> None:
    """Put aside what `tracking.sync` would send of the present evaluation: the next training replaces it.

    Raises:
        OSError: there is no room for it.
    """
    folder = state_dir(root) / "runs" / read_json(root / TRAIN / "training.json")["key"]
    part, target = folder / ".unsent.part", folder / "unsent"
    fresh_dir(part)
    previews = [path.relative_to(root) for path in sorted((root / AUGMENT).glob(PREVIEWS))]
    for name in (*_EVALUATION, *previews):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, part / name)
        elif source.is_file():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, part / name)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def kept_evaluation(path: Path) -> Path | None:
    """A folder laid out like a project, with the evaluation of this journal's training that was put aside."""
    folder = path.with_name("unsent")
    return folder if (folder / EVALUATE / "metrics.json").is_file() else None


def drop_evaluation(path: Path) -> None:
    shutil.rmtree(path.with_name("unsent"), ignore_errors=True)
