"""A folder of tar shards, as `convoy data pack` writes them: their members together are the files."""

from functools import cached_property
from pathlib import Path

from convoy.data.files._base import is_hidden, no_such
from convoy.data.files.tars import Tar
from convoy.errors import DataError


class Shards:
    """Files in all tars of a folder; a name stands in one of them only."""

    def __init__(self, root: Path, shards: list[str]) -> None:
        self._root = root
        self._shards = [Tar(root / name, enter=False) for name in sorted(shards)]

    @property
    def place(self) -> str:
        return str(self._root)

    @property
    def notes(self) -> list[str]:
        return [note for shard in self._shards for note in shard.notes]

    def names(self) -> list[str]:
        return self._names

    def hidden(self) -> list[str]:
        beside = {entry.name for entry in self._root.iterdir() if is_hidden(entry.name)}
        return sorted(beside.union(*(shard.hidden() for shard in self._shards)))

    def folders(self) -> list[str]:
        return sorted(set().union(*(shard.folders() for shard in self._shards)))

    def read(self, name: str) -> bytes:
        shard = self._by_name.get(name)
        if shard is None:
            raise no_such(name, self.place)
        return shard.read(name)

    def stamp(self, name: str) -> str | None:
        shard = self._by_name.get(name)
        return None if shard is None else shard.stamp(name)

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, Tar]:
        found: dict[str, Tar] = {}
        for shard in self._shards:
            for name in shard.names():
                other = found.setdefault(name, shard)
                if other is not shard:
                    both = " and ".join(Path(one.place).name for one in (other, shard))
                    raise DataError(
                        f"{name!r} stands in two shards: {both}",
                        where=self.place,
                        fix="pack the folder again",
                    )
        return found
