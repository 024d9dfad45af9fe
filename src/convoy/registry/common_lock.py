"""A lock that lies in the registry itself, for all who reach it over HTTP, from whatever machine.

The one thing that an MLflow server does for one client alone is to create a registered model of a new name.
So whoever creates the model `convoy-lock-NAME` holds the lock, and deletes it to let go; when nobody holds it
the registry shows nothing. The holder changes a tag of it every few seconds (its beat).

A holder that died stops beating. Whoever sees the same beat for TTL seconds of its own waiting (no clocks
are compared), or knows the holder's process on this machine to be gone, *renames* the model to
`convoy-lock-NAME-lost-TOKEN` and goes on. A rename to a name that exists fails, so of two that saw the same
dead holder one alone gets through, and neither can take the lock from a new holder.

docs/decisions/0012-one-lock-for-all-clones.md says what else was weighed.
"""

import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from convoy.errors import ResourceError
from convoy.owners import Owner

PREFIX = "convoy-lock-"  # of registered models that are none

_BEAT_SECONDS = 5.0
_TTL_SECONDS = 90.0  # a server under load may take ten seconds for each of the two requests of a beat
_POLL_SECONDS = (0.1, 1.0)  # the first wait between two looks, and the longest
_PATIENCE_SECONDS = 2.0  # of waiting before it is said for whom
_TAG = "convoy.lock."
_NOTE = "Held while a convoy command changes the registry. It goes away by itself; do not delete it."


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as its model says."""

    token: str
    beat: str
    user: str
    owner: Owner | None

    def __str__(self) -> str:
        who = self.user or "somebody"
        return f"{who} (process {self.owner.pid} on {self.owner.host})" if self.owner else who

    @property
    def gone(self) -> bool:
        """Whether it was a process of this machine, since its boot, that has ended.

        A host's name will not do: another machine may have the same.
        """
        me = _me()
        return bool(me and me.boot and self.owner and self.owner.boot == me.boot and self.owner.gone)


@dataclass
class Held:
    """The lock in our hands."""

    client: Any
    model: str
    token: str

    def confirm(self) -> None:
        """Raises:
        ResourceError: another process took it, since this one gave no sign of life for too long.
        """
        found = _read(self.client, self.model)
        if found is None or found.token != self.token:
            raise ResourceError(
                "the registry's lock was lost: this process stood still for too long"
                + (f", and {found} has it now" if found else ""),
                fix="run the command again; nothing was changed",
            )


_ours: ContextVar[Held | None] = ContextVar("registry lock", default=None)


def confirm() -> None:
    """Make sure, before something is changed for good, that the lock of this block is still ours.

    Raises:
        ResourceError: it is not. Where no such lock is held (a file or PostgreSQL keeps it), nothing happens.
    """
    held = _ours.get()
    if held is not None:
        held.confirm()


@contextmanager
def common_lock(
    client: Any, name: str, *, ttl: float = _TTL_SECONDS, say: Callable[[str], None] | None = None
) -> Iterator[Held]:
    """Hold the lock NAME of the registry that `client` reaches; waits for others, and says for whom.

    Args:
        ttl: seconds without a beat after which a holder counts as dead.
        say: receives the line; stderr where None.

    Raises:
        ResourceError: a dead holder's lock may not be removed, or no model may be created.
    """
    held = Held(client, f"{PREFIX}{name}", uuid.uuid4().hex)
    _take(held, ttl, say or _stderr)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(held, stop, min(_BEAT_SECONDS, ttl / 5)), daemon=True)
    beat.start()
    before = _ours.set(held)
    try:
        yield held
    finally:
        _ours.reset(before)
        stop.set()
        beat.join()
        _release(held)


def _take(held: Held, ttl: float, say: Callable[[str], None]) -> None:
    seen, since = "", 0.0
    began, told, pause = time.monotonic(), False, _POLL_SECONDS[0]
    while not _create(held):
        found = _read(held.client, held.model)
        if found is None:
            continue
        if found.token == held.token:  # the answer to our first request was lost
            return
        now = time.monotonic()
        if f"{found.token} {found.beat}" != seen:
            seen, since = f"{found.token} {found.beat}", now
        if found.gone or now - since > ttl:
            _bury(held, found, say)
            seen = ""
            continue
        if not told and now - began > _PATIENCE_SECONDS:
            told = True
            say(f"waiting for {found}, who is changing the registry")
        time.sleep(pause)
        pause = min(_POLL_SECONDS[1], 1.5 * pause)


def _create(held: Held) -> bool:
    """Whether the lock is ours now; False where another process has it."""
    from mlflow.exceptions import MlflowException

    tags = {"token": held.token, "beat": "0", "owner": str(_me() or ""), "user": _user()}
    try:
        held.client.create_registered_model(
            held.model, {f"{_TAG}{name}": value for name, value in tags.items()}, _NOTE
        )
    except MlflowException as error:
        if error.error_code in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):  # or it just went away
            return False
        if error.error_code == "PERMISSION_DENIED":
            raise ResourceError(
                "this user may not change the registry", where=str(held.client.tracking_uri),
                fix="ask an administrator of the MLflow server for the permission EDIT",
            ) from None  # fmt: skip
        raise
    return True


def _bury(held: Held, dead: Holder, say: Callable[[str], None]) -> None:
    """Take the lock from a dead holder; nothing happens where another process was faster."""
    from mlflow.exceptions import MlflowException

    grave = f"{held.model}-lost-{dead.token}"
    try:
        held.client.rename_registered_model(held.model, grave)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            return
        raise ResourceError(
            f"the registry's lock is held by {dead}, who gives no sign of life, and cannot be removed",
            where=held.model,
            fix=f"an administrator of the MLflow server deletes the registered model {held.model}",
        ) from error
    say(f"{dead} left the registry locked and is gone; the lock was taken from it ({grave})")


def _release(held: Held) -> None:
    """A server that is away keeps the lock until its time is over; that is no error of what was done."""
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException, OSError):
        found = _read(held.client, held.model)
        if found is not None and found.token == held.token:
            held.client.delete_registered_model(held.model)


def _read(client: Any, model: str) -> Holder | None:
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_registered_model(model).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    said = {name: tags.get(f"{_TAG}{name}", "") for name in ("token", "beat", "user")}
    return Holder(**said, owner=Owner.parse(tags.get(f"{_TAG}owner", "")))


def _beat(held: Held, stop: threading.Event, pause: float) -> None:
    from mlflow.exceptions import MlflowException

    number = 0
    while not stop.wait(pause):
        number += 1
        with suppress(MlflowException, OSError):  # the server is away: the next beat may reach it
            found = _read(held.client, held.model)
            if found is None or found.token != held.token:
                return
            held.client.set_registered_model_tag(held.model, f"{_TAG}beat", str(number))


def _me() -> Owner | None:
    try:
        return Owner.of()
    except ModuleNotFoundError:  # psutil, in an installation that only predicts
        return None


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
