"""Recorded digests against the bytes that lie there: what is expected, hashed on all cores, and judged.

Planning (which files, what they should be), hashing and judging are apart, so that hashing is one parallel
pass over everything and judging needs no disk.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from convoy import digests
from convoy.io import sha256_file

Kind = Literal["md5", "sha256"]
Key = tuple[Path, Kind]
Found = Mapping[Key, "str | OSError"]
Progress = Callable[[int, int], None]  # (bytes done, bytes in all)
Namer = Callable[[], list[str]]


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was recorded.

    Attributes:
        area: data, cache, artifacts, bundle, registry or ledger.
        where: the file, or the place in the registry.
        expected, found: digests, where the problem is one of digests.
    """

    area: str
    what: str
    where: str
    expected: str = ""
    found: str = ""
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class Expectation(Protocol):
    """What should lie somewhere."""

    @property
    def area(self) -> str: ...

    def needs(self) -> Sequence[Key]:
        """The files to hash, and how."""

    def judge(self, found: Found) -> list[Problem]:
        """What is not as expected, from the digests of `needs`."""


@dataclass(frozen=True)
class File:
    """One file with a recorded digest."""

    area: str
    path: Path
    expected: str
    shown: str
    fix: str
    kind: Kind = "md5"

    def needs(self) -> Sequence[Key]:
        return [(self.path, self.kind)]

    def judge(self, found: Found) -> list[Problem]:
        value = found[self.path, self.kind]
        if isinstance(value, OSError):
            return [unreadable(self.area, self.shown, value)]
        if value == self.expected:
            return []
        return [Problem(self.area, "the file was altered", self.shown, self.expected, value, self.fix)]


@dataclass(frozen=True)
class Folder:
    """A folder with DVC's digest.

    Attributes:
        files: relative name -> path of what lies there.
        recorded: relative name -> MD5, where the listing that the digest stands for is known.
        name: finds the altered files in another way where it is not; called only when something is wrong.
    """

    area: str
    path: Path
    expected: str
    shown: str
    fix: str
    files: Mapping[str, Path]
    recorded: Mapping[str, str] | None = None
    name: Namer = field(default=lambda: [])

    def needs(self) -> Sequence[Key]:
        return [(path, "md5") for path in self.files.values()]

    def judge(self, found: Found) -> list[Problem]:
        values = {name: found[path, "md5"] for name, path in self.files.items()}
        broken = [
            unreadable(self.area, f"{self.shown}/{name}", value)
            for name, value in values.items()
            if isinstance(value, OSError)
        ]
        entries = {name: value for name, value in values.items() if isinstance(value, str)}
        digest = digests.folder_md5(entries)
        if broken or digest == self.expected:
            return broken
        if self.recorded is not None:
            return [*self._differences(self.recorded, entries)]
        named = self.name()
        if named:
            return [
                Problem(self.area, "the file was altered", f"{self.shown}/{name}", fix=self.fix)
                for name in named
            ]
        return [Problem(self.area, "the folder was altered", self.shown, self.expected, digest, self.fix)]

    def _differences(self, recorded: Mapping[str, str], entries: Mapping[str, str]) -> Iterable[Problem]:
        for name in sorted(recorded.keys() | entries.keys()):
            before, now = recorded.get(name, ""), entries.get(name, "")
            if before != now:
                what = "the file was altered" if before and now else "the file is missing"
                what = what if before else "the file does not belong here"
                yield Problem(self.area, what, f"{self.shown}/{name}", before, now, self.fix)


def hash_all(keys: Iterable[Key], progress: Progress = lambda _done, _all: None) -> dict[Key, str | OSError]:
    """Digest of each file, each hashed once, in threads; a file that cannot be read gives its error."""
    wanted = list(dict.fromkeys(keys))
    sizes = [_size(path) for path, _ in wanted]
    total, done = sum(sizes), 0
    found: dict[Key, str | OSError] = {}
    progress(0, total)
    with ThreadPoolExecutor() as pool:
        for key, size, value in zip(wanted, sizes, pool.map(_hash, wanted), strict=True):
            found[key] = value
            done += size
            progress(done, total)
    return found


def unreadable(area: str, where: str, error: OSError) -> Problem:
    reason = error.strerror or str(error)
    return Problem(area, f"the file cannot be read: {reason}", where, fix="mend its permissions or the disk")


def counted(expectations: Iterable[Expectation], found: Found) -> dict[str, dict[str, Any]]:
    """Area -> {"files", "bytes"} that were hashed for it."""
    counts: dict[str, dict[str, Any]] = {}
    for expectation in expectations:
        row = counts.setdefault(expectation.area, {"files": 0, "bytes": 0})
        keys = [key for key in expectation.needs() if key in found]
        row["files"] += len(keys)
        row["bytes"] += sum(_size(path) for path, _ in keys)
    return counts


def _hash(key: Key) -> str | OSError:
    path, kind = key
    try:
        return digests.file_md5(path) if kind == "md5" else sha256_file(path)
    except OSError as error:
        return error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
