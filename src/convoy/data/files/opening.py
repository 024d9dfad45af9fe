"""Which kind of place a path is: a folder, an archive, a folder of tar shards."""

import os
from pathlib import Path

from convoy.data.files._base import Files, is_hidden
from convoy.data.files.folder import Folder
from convoy.data.files.shards import Shards
from convoy.data.files.tars import Tar
from convoy.data.files.unpacked import is_compressed, open_compressed
from convoy.data.files.zips import Zip
from convoy.errors import DataError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HEAD = 512


def open_place(root: Path, fix: str) -> Files:
    """The files at `root`: a folder, a zip, a tar (also gzip, xz, bzip2 or zstd), or a folder of tar shards.

    What a file is, its first bytes say, not its name. Nothing is listed yet, and nothing is unpacked but
    compressed tars.

    Args:
        fix: for the error when there is nothing: what to do.

    Raises:
        DataError: there is nothing, it is neither folder nor archive, or it cannot be read.
        ResourceError: a compressed tar finds no space to be unpacked.
    """
    try:
        if root.is_dir():
            shards = _shards(root)
            return Shards(root, shards) if shards else Folder(root)
        if root.is_file():
            return _archive(root, fix)
    except OSError as error:
        kind = "folder" if root.is_dir() else "archive"
        raise DataError(
            f"cannot read the {kind}: {error.strerror}", where=str(root), fix="mend its permissions"
        ) from None
    state = "is no folder" if root.exists() else "does not exist"
    raise DataError(f"the data folder {state}", where=str(root), fix=fix)


def _archive(root: Path, fix: str) -> Files:
    with root.open("rb") as handle:
        head = handle.read(_HEAD)
    if head.startswith(_ZIP):
        return Zip(root)
    if is_compressed(head):
        return open_compressed(root)
    if head[257:262] == b"ustar" or (root.suffix.lower() == ".tar" and len(head) == _HEAD):
        return Tar(root)
    raise DataError(
        "the data are no folder, and no archive of a known kind (zip, tar, tar.gz, tar.xz, tar.bz2, tar.zst)",
        where=str(root),
        fix=fix,
    )


def _shards(root: Path) -> list[str]:
    """Names of the tars in a folder that holds nothing else; empty if it does."""
    with os.scandir(root) as scanned:
        names = []
        for entry in scanned:
            if is_hidden(entry.name):
                continue
            if not entry.name.lower().endswith(".tar") or entry.is_symlink() or not entry.is_file():
                return []
            names.append(entry.name)
    return names
