"""Many small files as a few tar shards: what DVC tracks, copies and compares in seconds.

Shards are plain tars that any tool reads. The same files give the same bytes: names in order, no times, no
owners. `data.path` may name the folder of shards wherever it may name the folder itself.
"""

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from convoy.data.files import Files, open_place
from convoy.errors import DataError

_MAX_FILES = 10_000
_MAX_BYTES = 512 << 20


def pack(folder: Path, out: Path, *, max_files: int = _MAX_FILES, max_bytes: int = _MAX_BYTES) -> list[Path]:
    """Write the files of a folder (or an archive) as shards; hidden files are left out.

    Args:
        folder: what to pack.
        out: a folder that does not exist yet, or is empty.
        max_files: files in a shard, and
        max_bytes: bytes of content in a shard, of which one file may have more.

    Returns:
        The shards, in order; they appear all at once.

    Raises:
        DataError: there are no files, one of them cannot be read, or `out` holds something already or lies in
            the folder.
        OSError: the shards cannot be written.
    """
    files = open_place(folder, "name the folder of the files to pack")
    if not files.names():
        raise DataError("there are no files to pack", where=files.place, fix="name another folder")
    if out.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            "the shards would lie among the files that they hold",
            where=str(out),
            fix="name a folder outside of it",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            "there is something already where the shards go", where=str(out), fix="remove it, or name another"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        written.chmod(0o755)
        names = _write(files, written, max_files, max_bytes)
        written.replace(out)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return [out / name for name in names]


def _write(files: Files, folder: Path, max_files: int, max_bytes: int) -> list[str]:
    names: list[str] = []
    members = _members(files)
    first: tuple[tarfile.TarInfo, bytes] | None = next(members)
    while first is not None:
        names.append(f"{len(names):05}.tar")
        with (folder / names[-1]).open("wb") as handle:
            first = _shard(handle, first, members, max_files, max_bytes)
            handle.flush()
            os.fsync(handle.fileno())
    return names


def _shard(
    handle: io.BufferedWriter,
    first: tuple[tarfile.TarInfo, bytes],
    members: Iterator[tuple[tarfile.TarInfo, bytes]],
    max_files: int,
    max_bytes: int,
) -> tuple[tarfile.TarInfo, bytes] | None:
    """Fill one shard; the member that had no room in it is returned."""
    count = size = 0
    after: tuple[tarfile.TarInfo, bytes] | None = first
    with tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as shard:
        while after is not None and (count == 0 or (count < max_files and size + after[0].size <= max_bytes)):
            shard.addfile(after[0], io.BytesIO(after[1]))
            shard.members.clear()  # type: ignore[attr-defined]  # which grows without bound
            count, size = count + 1, size + after[0].size
            after = next(members, None)
    return after


def _members(files: Files) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Empty folders, which may be classes without pictures yet, then the files in name order."""
    filled = {name.rpartition("/")[0] for name in (*files.names(), *files.folders())}
    for name in files.folders():
        if name not in filled:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            yield member, b""
    for name in files.names():
        content = files.read(name)
        member = tarfile.TarInfo(name)
        member.size = len(content)
        yield member, content
