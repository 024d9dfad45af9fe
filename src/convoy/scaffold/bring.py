"""Data brought into a project: the same files, shards of very many, a selection of them."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from convoy import plugins
from convoy.data.files import open_place
from convoy.data.files._base import OFFERED
from convoy.errors import ConfigError, ResourceError
from convoy.scaffold.place import Found

RAW = Path("data") / "raw"

_CLONE = 0x40049409  # FICLONE of linux/fs.h: a copy that shares its blocks until one of the two is written
_COPIERS = 4


@dataclass(frozen=True)
class Shipment:
    """What is to lie where `data.path` will point.

    Attributes:
        files: relative posix name -> where it lies now; of a single file the name is empty.
        folders: relative names of all folders, empty ones too.
        written: relative name -> new content (a table whose paths were made relative).
        missing: what a table names and what is nowhere.
        whole: the folder or file that this is all of; None: a selection, or changed.
    """

    files: Mapping[str, Path]
    folders: tuple[str, ...] = ()
    written: Mapping[str, bytes] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    whole: Path | None = None


def shipment(found: Found, pointed: Path) -> Shipment:
    """What to bring.

    Args:
        pointed: what the user named: with a single table or export, only what it names is brought.

    Raises:
        DataError: the table cannot be read.
    """
    root = found.root
    if root.is_file():
        return Shipment({"": root}, whole=root)
    chosen: Shipment | None = plugins.load("scaffold", found.modality).selection(found, pointed)
    if chosen is not None:
        return chosen
    files = open_place(root, "")
    return Shipment({name: root / name for name in files.names()}, tuple(files.folders()), whole=root)


def bring(what: Shipment, target: Path) -> int:
    """Lay it there, whole or not at all; more than 50,000 files become tar shards.

    Files are cloned where the file system can, else copied. They are never linked: DVC makes what it keeps
    read-only, and the user's own files are not its to change.

    Returns:
        Number of files that lie there now.

    Raises:
        ConfigError: something lies there already.
        ResourceError: no space, or a file cannot be read.
    """
    if target.exists():
        raise ConfigError("there is something already", where=str(target), fix="choose another name: --name")
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(part)
    try:
        if len(what.files) + len(what.written) > OFFERED and what.whole is not None:
            _pack(what.whole, part)
        else:
            _lay(what, part)
        part.rename(target)
    except OSError as error:
        raise ResourceError(
            f"the data cannot be brought into the project: {error.strerror}",
            where=str(error.filename or target),
            fix="make room or mend the permissions, then try again",
        ) from None
    finally:
        _remove(part)
    return sum(1 for path in target.rglob("*") if path.is_file()) if target.is_dir() else 1


def _lay(what: Shipment, part: Path) -> None:
    if "" in what.files:
        copy(what.files[""], part)
        return
    folders = {
        *what.folders,
        *(PurePosixPath(name).parent.as_posix() for name in [*what.files, *what.written]),
    }
    for folder in sorted(folders):
        (part / folder).mkdir(parents=True, exist_ok=True)
    pairs = [(source, part / name) for name, source in what.files.items()]
    with ThreadPoolExecutor(_COPIERS) as pool:
        for _ in pool.map(lambda pair: copy(*pair), pairs, chunksize=64):
            pass
    for name, content in what.written.items():
        (part / name).write_bytes(content)


def _pack(folder: Path, part: Path) -> None:
    from convoy.data.pack import pack

    part.mkdir()
    pack(folder, part)


def copy(source: Path, target: Path) -> None:
    """A clone of a file, or a copy where the file system has no clones."""
    if not _clone(source, target):
        shutil.copyfile(source, target)


def _clone(source: Path, target: Path) -> bool:
    try:
        from fcntl import ioctl
    except ImportError:  # not on this system
        return False
    with source.open("rb") as reading, target.open("wb") as writing:
        try:
            ioctl(writing.fileno(), _CLONE, reading.fileno())
        except OSError:
            return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
