"""A folder into which files arrive: what lies there, and when nothing has changed for long enough."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from convoy.io import dump_json, sha256_bytes

Listing = Mapping[str, tuple[int, int]]  # relative path -> (bytes, time of change in ns)

_POLL_SECONDS = 5.0
_PATIENCE_SECONDS = 3600.0


def listing(folder: Path) -> Listing:
    """The files below a folder; one that vanishes meanwhile is left out, linked folders are not entered."""
    found: dict[str, tuple[int, int]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                facts = path.stat()
            except OSError:
                continue
            found[path.relative_to(folder).as_posix()] = (facts.st_size, facts.st_mtime_ns)
    return found


def digest(files: Listing) -> str:
    return sha256_bytes(dump_json({name: list(facts) for name, facts in files.items()}).encode())


def settled(
    look: Callable[[], Listing],
    seconds: float,
    *,
    say: Callable[[str], None] = lambda _line: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    patience: float = _PATIENCE_SECONDS,
) -> Listing | None:
    """Wait until no name, size or time has changed for some seconds.

    Returns:
        What lies there then; None where it still changed when the patience ended.
    """
    began = since = clock()
    seen = look()
    told = False
    while (left := since + seconds - clock()) > 0:
        if not told:
            say(f"{len(seen):,} files; waiting until nothing has changed for {seconds:g} s")
            told = True
        sleep(min(left, _POLL_SECONDS))
        now = look()
        if now != seen:
            seen, since = now, clock()
            if since - began >= patience:
                return None
    return seen
