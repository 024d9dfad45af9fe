"""DVC's digests of files and folders, computed from their bytes.

DVC itself trusts modification time and inode: a changed byte under the old time is "up to date" to it.
Nothing here looks at either.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

_CHUNK = 1 << 20
NEVER = frozenset({".git", ".hg", ".dvc"})  # folders that DVC does not look into


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def listing(folder: Path, root: Path | None = None) -> dict[str, Path]:
    """Relative posix path -> path of what DVC counts as the folder's files, in name order.

    Args:
        root: the project, whose .dvcignore is respected.
    """
    base = root if root is not None and folder.is_relative_to(root) else folder
    ignored = _ignored(base)
    found = {}
    for parent, folders, names in os.walk(folder):
        place = Path(parent)
        folders[:] = [
            name for name in folders if name not in NEVER and not ignored(f"{_relative(place / name, base)}/")
        ]
        for name in names:
            path = place / name
            if path.is_file() and not ignored(_relative(path, base)):
                found[_relative(path, folder)] = path
    return dict(sorted(found.items()))


def folder_md5(entries: Mapping[str, str]) -> str:
    """DVC's digest of a folder from its files' (relative posix path -> MD5)."""
    return hashlib.md5(dump_listing(entries), usedforsecurity=False).hexdigest() + ".dir"


def dump_listing(entries: Mapping[str, str]) -> bytes:
    """The object that DVC keeps for a folder."""
    rows = [{"md5": md5, "relpath": name} for name, md5 in sorted(entries.items())]
    return json.dumps(rows, sort_keys=True).encode("utf-8")


def parse_listing(content: bytes) -> dict[str, str]:
    """Relative posix path -> MD5, from the object that DVC keeps for a folder.

    Raises:
        ValueError: it is none, or a path leads out of the folder.
    """
    found = {}
    try:
        rows = [(str(row["relpath"]), str(row["md5"])) for row in json.loads(content)]
    except (LookupError, TypeError):
        raise ValueError("not a list of files") from None
    for name, md5 in rows:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"{name!r} leads out of the folder")
        found[name] = md5
    return found


def md5_of(path: Path, root: Path | None = None) -> tuple[str, dict[str, str]]:
    """DVC's digest of a file or folder, and for a folder its files' MD5s; hashed on all cores.

    Raises:
        OSError: a file cannot be read.
    """
    if not path.is_dir():
        return file_md5(path), {}
    files = listing(path, root)
    with ThreadPoolExecutor() as pool:
        entries = dict(zip(files, pool.map(file_md5, files.values()), strict=True))
    return folder_md5(entries), entries


def _ignored(base: Path) -> Callable[[str], bool]:
    """Whether the .dvcignore of a folder names a path (of a folder, with a final slash) below it."""
    try:
        lines = (base / ".dvcignore").read_text(encoding="utf-8").splitlines()
    except OSError:
        return lambda _name: False
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines).match_file


def _relative(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix()
