"""The project: its DVC remotes, who holds its locks, and what crashes left behind."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convoy.pipeline import lease
from convoy.pipeline.reconcile import reconcile
from convoy.stack import standing
from convoy.stack.doctor.finding import Finding

_REMOTE_SECONDS = 20.0


def look(root: Path) -> Iterator[Finding]:
    yield from _remotes(root)
    yield from _locks(root)
    yield from _state(root)


def _remotes(root: Path) -> Iterator[Finding]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            names = list(repo.config["remote"])
            default = repo.config["core"].get("remote", "")
            if not names:
                fix = "`dvc remote add --default NAME URL`, for others to get the data (docs/team-server.md)"
                yield Finding("remotes", "note", "no DVC remote: the data are on this machine alone", fix)
            elif not default:
                yield Finding(
                    "remotes", "note", "no DVC remote is the default", f"`dvc remote default {names[0]}`"
                )
            for name in names:
                yield _remote(repo, name)
    except DvcException as error:
        yield Finding("remotes", "broken", f"DVC cannot open the project: {error}", "`dvc doctor` says more")


def _remote(repo: Any, name: str) -> Finding:
    """Ask for the folder of a remote; one that does not answer is not waited for long."""
    answer: list[bool | Exception] = []
    url = str(repo.config["remote"][name].get("url", "")).rpartition("@")[2]

    def ask() -> None:
        try:
            remote = repo.cloud.get_remote_odb(name)
            answer.append(bool(remote.fs.exists(remote.path)))
        except Exception as error:  # noqa: BLE001  # of any library of any store; it is told
            answer.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_REMOTE_SECONDS)
    if not answer:
        return Finding("remotes", "broken", f"{name} ({url}) does not answer", "is the network there?")
    if isinstance(answer[0], Exception):
        first = (str(answer[0]).splitlines() or [type(answer[0]).__name__])[0]
        return Finding("remotes", "broken", f"{name} ({url}): {first[:160]}", "check its address and keys")
    if not answer[0]:
        return Finding("remotes", "note", f"{name} ({url}) holds nothing yet", "`dvc push` fills it")
    return Finding("remotes", "ok", f"{name} ({url}) answers")


def _locks(root: Path) -> Iterator[Finding]:
    held = lease.holders(root)
    for holder in held:
        yield Finding("locks", "ok", f"{holder.lease}: {holder}")
    if not held:
        yield Finding("locks", "ok", "nobody runs anything here")


def _state(root: Path) -> Iterator[Finding]:
    file = root / standing.FILE
    if file.exists() and standing.find(root) is None:
        yield Finding("state", "note", "a stack was killed and left its note", "`convoy up` clears it")
    for name, process in standing.leftovers(root):
        yield Finding(
            "state",
            "broken",
            f"{name} (process {process.pid}) was left by a killed stack",
            "`convoy up` ends it",
        )
    for found in reconcile(root, act=False, deep=True):
        fix = found.fix or "the next `convoy run` or `convoy up` puts it right"
        yield Finding("state", "note", f"{found.kind}: {found.what}", fix)
