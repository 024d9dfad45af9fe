"""Uncompressed tar archives, read in place."""

import tarfile
from pathlib import Path

from convoy.data.files._archive import MOST_MEMBERS, Archive, Index, Member
from convoy.data.files._base import not_utf8

_BLOCK = 512


class Tar(Archive):
    """Members of a tar."""

    kind = "tar"

    def index(self) -> Index:
        found = Index()
        odd: list[str] = []
        twice: list[str] = []
        try:
            with tarfile.open(self._path, "r:", encoding="utf-8", errors="surrogateescape") as archive:
                for number, member in enumerate(archive):
                    archive.members.clear()  # type: ignore[attr-defined]  # which grows without bound
                    if number >= MOST_MEMBERS:
                        raise self.damaged(f"the tar holds more than {MOST_MEMBERS:,} members")
                    name = self._name(member)
                    if member.isdir():
                        if name not in ("", "."):
                            found.folders.add(name)
                    elif not member.isreg() or member.issparse():
                        odd.append(name)
                    elif name in found.members:
                        twice.append(name)
                    else:
                        found.members[name] = Member(member.offset_data, member.size, member.size)
                end = archive.offset
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise self.damaged(f"the tar is damaged or truncated: {error}") from None
        self._check_end(self._path, end, found)
        if odd:
            raise self.refused(odd, "links, devices or sparse files", "make the archive again of plain files")
        if twice:
            raise self.refused(sorted(set(twice)), "several members of one name")
        return found

    def _name(self, member: tarfile.TarInfo) -> str:
        """Without the `./` that `tar -C folder .` puts before names."""
        name = member.name
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise not_utf8(name.encode("utf-8", "surrogateescape"), self.place) from None
        while name.startswith("./"):
            name = name[2:]
        return name

    def _check_end(self, path: Path, end: int, found: Index) -> None:
        """Where the list of members ended there must be an end: tarfile takes a damaged header for one."""
        size = path.stat().st_size
        with path.open("rb") as handle:
            handle.seek(end)
            block = handle.read(_BLOCK)
        if block.strip(b"\0"):
            raise self.damaged(f"the tar is damaged: no member begins at byte {end:,}")
        for name, member in found.members.items():
            if member.start + member.size > size:
                raise self.damaged(f"{name!r} is truncated: the tar ends within it")
