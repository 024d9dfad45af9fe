"""What archives share: the index of their members, what is refused in it, and members read in place.

An archive is opened anew for each member, and refused if it is no longer the file whose members were listed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from convoy.data import stamps
from convoy.data.files._base import LARGEST, first_hidden, is_sound, no_such, parents
from convoy.errors import DataError

MOST_MEMBERS = 2_000_000
UNPACKED = 4 << 30  # bytes that any archive may hold; larger ones up to RATIO times their own size
RATIO = 100
_AGAIN = "make the archive again"
# A folder of this name at the top means something by itself and is not entered.
_MEANT = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


class Member(NamedTuple):
    """Where a file lies in an archive.

    Attributes:
        start: offset of its header (zip) or content (tar), in bytes.
        size: bytes of the content.
        packed: bytes that it takes in the archive.
        method: 0 as it is, 8 deflated.
        crc: CRC-32 of the content; 0 where the archive has none.
    """

    start: int
    size: int
    packed: int
    method: int = 0
    crc: int = 0


@dataclass
class Index:
    """What an archive holds.

    Attributes:
        members: by locator.
        folders: locators of the folders that the archive names.
        notes: sentences for the user.
    """

    members: dict[str, Member] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class Archive:
    """Members of an archive as files; a kind of archive says how it is indexed and how a member is read."""

    kind = "archive"

    def __init__(self, path: Path, *, place: Path | None = None, enter: bool = True) -> None:
        """
        Args:
            path: the archive.
            place: of which `path` is an unpacked copy.
            enter: whether a single folder at the top is left out of the locators.
        """
        self._path = path
        self._origin = place or path
        self._enter = enter
        self._version: tuple[int, ...] = ()  # of the file whose members are listed
        self._stamp: str | None = None

    @property
    def place(self) -> str:
        return str(self._origin)

    @property
    def notes(self) -> list[str]:
        return self._listed.notes

    def names(self) -> list[str]:
        return self._names

    def hidden(self) -> list[str]:
        return self._hidden

    def folders(self) -> list[str]:
        return self._folders

    def read(self, name: str) -> bytes:
        member = self._listed.members.get(name)
        if member is None:
            raise no_such(name, self.place)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _version(os.fstat(descriptor)) != self._version:
                    raise self.damaged("the archive has changed while it was read", "run it again")
                return self.content(descriptor, name, member)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unreadable(error) from None

    def stamp(self, name: str) -> str | None:
        """The archive's stamp, the member's place in it and its checksum."""
        member = self._listed.members.get(name)
        if member is None or self._stamp is None:
            return None
        return f"{self._stamp}-{member.start}-{member.crc:08x}"

    def damaged(self, what: str, fix: str = _AGAIN) -> DataError:
        return DataError(what, where=self.place, fix=fix)

    def refused(self, names: Sequence[str], why: str, fix: str = _AGAIN) -> DataError:
        """The error for members that are not taken, by their names."""
        shown = ", ".join(repr(name) for name in names[:10])
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        return self.damaged(f"the {self.kind} holds {why}: {shown}{more}", fix)

    def content(self, descriptor: int, name: str, member: Member) -> bytes:
        """The content of a member.

        Raises:
            DataError: it is damaged or not what the index says.
        """
        return self.pread(descriptor, name, member.start, member.size)

    def pread(self, descriptor: int, name: str, start: int, size: int) -> bytes:
        """`size` bytes of the archive."""
        parts = []
        while size and (part := os.pread(descriptor, min(size, 1 << 30), start)):
            parts.append(part)
            start, size = start + len(part), size - len(part)
        if size:
            raise self.damaged(f"{name!r} is truncated: the {self.kind} ends within it")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def index(self) -> Index:
        """Read the list of members, as they are named; safety is checked by the caller.

        Raises:
            DataError: it is damaged, or holds what is refused: links, devices, encrypted members, two of one
                name, more than MOST_MEMBERS.
            OSError: it cannot be read.
        """
        raise NotImplementedError

    @cached_property
    def _listed(self) -> Index:
        try:
            self._version = _version(os.stat(self._path))  # noqa: PTH116
            self._stamp = stamps.of_file(self._origin)
            kind: Any = type(self)
            return _indexed(kind, self._path, self._origin, self._enter, self._version)
        except OSError as error:
            raise self._unreadable(error) from None

    def _checked_index(self) -> Index:
        found = self.index()
        self._check(found)
        return _entered(found) if self._enter else found

    def _check(self, found: Index) -> None:
        wrong = [name for name in (*found.members, *found.folders) if not is_safe(name)]
        if wrong:
            raise self.refused(sorted(wrong), "names that lead out of it")
        both = sorted((found.folders | parents(found.members)) & found.members.keys())
        if both:
            raise self.refused(both, "files and folders of one name")
        large = [name for name, member in found.members.items() if member.size > LARGEST]
        if large:
            raise self.refused(sorted(large), f"files of more than {LARGEST:,} bytes", "leave them out")
        total = sum(member.size for member in found.members.values())
        most = allowed(self._origin)
        if total > most:
            raise self.damaged(
                f"the {self.kind} claims to hold {total:,} bytes, more than the {most:,} that are allowed",
                f"an archive may hold {RATIO} times its own size; unpack it if it is sound",
            )

    @cached_property
    def _names(self) -> list[str]:
        return sorted(name for name in self._listed.members if first_hidden(name) is None)

    @cached_property
    def _hidden(self) -> list[str]:
        listed = (*self._listed.members, *self._listed.folders)
        return sorted({name for path in listed if (name := first_hidden(path)) is not None})

    @cached_property
    def _folders(self) -> list[str]:
        found = self._listed.folders | parents(self._listed.members) | parents(self._listed.folders)
        return sorted(name for name in found if first_hidden(name) is None)

    def _unreadable(self, error: OSError) -> DataError:
        return DataError(
            f"cannot read the {self.kind}: {error.strerror or error}",
            where=self.place,
            fix="mend its permissions, or fetch it again",
        )


def is_safe(name: str) -> bool:
    """Whether a member may have this name: relative, nothing like `..`, no drive letter."""
    return is_sound(name) and not (name[1:2] == ":" and name[:1].isalpha() and name[2:3] in ("", "/", "\\"))


def allowed(archive: Path) -> int:
    """Bytes that an archive may hold unpacked."""
    return max(UNPACKED, RATIO * archive.stat().st_size)


def _version(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


@lru_cache(maxsize=256)
def _indexed(kind: type[Archive], path: Path, origin: Path, enter: bool, version: tuple[int, ...]) -> Index:  # noqa: ARG001  # version: the key
    """The index of an archive, listed once by a process: scan and reader open it one after the other."""
    return kind(path, place=origin, enter=enter)._checked_index()


def _entered(found: Index) -> Index:
    """Without the single folder at the top in which macOS and others put everything."""
    tops = {name.partition("/")[0] for name in (*found.members, *found.folders)}
    tops = {top for top in tops if first_hidden(top) is None}
    if len(tops) != 1:
        return found
    top = tops.pop()
    if top in found.members or top.casefold() in _MEANT:
        return found
    prefix = top + "/"
    return Index(
        {name.removeprefix(prefix): member for name, member in found.members.items()},
        {name.removeprefix(prefix) for name in found.folders if name != top},
        found.notes,
    )
