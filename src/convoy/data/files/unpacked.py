"""Compressed tars: they cannot be read in place, so they are unpacked to a plain tar, once.

The tar lies in `.convoy/cache/archives/<SHA-256 of the archive>.tar`; a note beside it saves hashing an
archive that has not changed. Both may be deleted at any time.
"""

import bz2
import errno
import gzip
import hashlib
import lzma
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from convoy import io, layout
from convoy.data import stamps
from convoy.data.files._archive import allowed
from convoy.data.files.tars import Tar
from convoy.errors import DataError, ResourceError

FOLDER = layout.STATE / "cache" / "archives"
_CHUNK = 1 << 20
_LEFT_FREE = 1 << 30  # bytes


def _zstd(path: Path) -> IO[bytes]:
    import pyarrow as pa

    opened: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return opened


_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
    b"\x28\xb5\x2f\xfd": _zstd,
}


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins so is compressed in a known way."""
    return any(head.startswith(magic) for magic in _OPENERS)


def open_compressed(archive: Path, folder: Path = FOLDER) -> Tar:
    """The members of a compressed tar.

    Args:
        folder: of the unpacked tars.

    Raises:
        DataError: it is damaged, or holds more than an archive may.
        ResourceError: the disk is full.
        OSError: it cannot be read.
    """
    digest = _digest(archive, folder)
    path = folder / f"{digest}.tar"
    if not path.is_file():
        _unpack(archive, path)
    return Tar(path, place=archive)


def _digest(archive: Path, folder: Path) -> str:
    """SHA-256 of the archive, from the note if it has not changed; its former unpacked tar is removed."""
    place = hashlib.sha256(str(archive.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    note = folder / f"{place}.json"
    stamp = stamps.of_file(archive)
    try:
        known = io.read_json(note)
        if stamp is not None and known["stamp"] == stamp:
            return str(known["sha256"])
        former = str(known["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        former = None
    digest = io.sha256_file(archive)
    if former not in (None, digest):
        (folder / f"{former}.tar").unlink(missing_ok=True)
    io.write_json(note, {"stamp": stamp, "sha256": digest})
    return digest


def _unpack(archive: Path, path: Path) -> None:
    with archive.open("rb") as handle:
        head = handle.read(8)
    opener = next(opener for magic, opener in _OPENERS.items() if head.startswith(magic))
    most = allowed(archive)
    try:
        with io.atomic_path(path) as temporary, opener(archive) as packed, temporary.open("wb") as plain:
            size = 0
            while chunk := packed.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise DataError(
                        f"the archive holds more than the {most:,} bytes that are allowed",
                        where=str(archive),
                        fix="unpack it if it is sound, and name the folder in data.path",
                    )
                if shutil.disk_usage(path.parent).free < _LEFT_FREE:
                    raise OSError(errno.ENOSPC, "No space left on device")
                plain.write(chunk)
    except (EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ResourceError(
                f"no space to unpack {archive.name}", where=str(path.parent), fix="free some disk space"
            ) from None
        if error.errno is not None:
            raise
        raise _damaged(archive, error) from None  # what the decompressors say


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(
        f"the archive is damaged or truncated: {error}", where=str(archive), fix="fetch it again"
    )
