"""Data brought into a project: the same files, shards of very many, a table with the pictures it names."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from convoy.data.files import open_place
from convoy.data.files._base import OFFERED
from convoy.data.files.folder import Folder
from convoy.errors import ConfigError, ResourceError
from convoy.scaffold import tables
from convoy.scaffold.recognise import Found, located

RAW = Path("data") / "raw"

_CLONE = 0x40049409  # FICLONE of linux/fs.h: a copy that shares its blocks until one of the two is written
_COPIERS = 4
_OUTSIDE = "pictures"  # folder for pictures that lie elsewhere than their table
_EXPORTS = ("label_studio", "coco_keypoints", "hf_imagefolder")


@dataclass(frozen=True)
class Shipment:
    """What is to lie where `data.path` will point.

    Attributes:
        files: relative posix name -> where it lies now; of a single file the name is empty.
        folders: relative names of all folders, empty ones too.
        written: relative name -> new content (a table whose paths were made relative).
        missing: pictures that a table names and that are nowhere.
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
    if found.options["source"] == "table":
        chosen = _of_table(found, whole=pointed.is_dir())
        if chosen is not None:
            return chosen
    elif pointed.is_file() and found.options["source"] in _EXPORTS and found.scan is not None:
        paths = dict.fromkeys([pointed.name, *found.scan.samples["path"]])
        return Shipment({name: root / name for name in paths if (root / name).is_file()})
    files = open_place(root, "")
    return Shipment({name: root / name for name in files.names()}, tuple(files.folders()), whole=root)


def _of_table(found: Found, *, whole: bool) -> Shipment | None:
    """A table with its pictures; None where all lie below the root and the root is wanted as a whole."""
    root, name, column = found.root, found.options["table"], found.options["image_col"]
    table = tables.read(Folder(root), name)
    places = {value: located(root, value) for value in table[column].unique() if value.strip()}
    there = {value: place for value, place in places.items() if place is not None}
    missing = tuple(value for value, place in places.items() if place is None)
    plain = all(os.path.normpath(root / value) == str(place) for value, place in there.items())
    inside = all(
        place.is_relative_to(root) and not Path(value).is_absolute() for value, place in there.items()
    )
    if plain and inside:
        if whole:
            return None
        files = {PurePosixPath(os.path.normpath(value)).as_posix(): place for value, place in there.items()}
        return Shipment({**files, name: root / name}, missing=missing)
    names = _relative(root, there)
    table[column] = [names.get(value, value) for value in table[column]]
    files = {names[value]: place for value, place in there.items()}
    return Shipment(files, written={name: tables.write(table, name)}, missing=missing)


def _relative(root: Path, there: Mapping[str, Path]) -> dict[str, str]:
    """Path as the table says it -> the one that it gets."""
    outside = [place for place in there.values() if not place.is_relative_to(root)]
    inside = {place.relative_to(root).parts[0] for place in there.values() if place.is_relative_to(root)}
    common = Path(os.path.commonpath([place.parent for place in outside])) if outside else root
    folder = next(name for n in range(len(inside) + 1) if (name := _OUTSIDE + "-2" * n) not in inside)
    return {
        value: place.relative_to(root).as_posix()
        if place.is_relative_to(root)
        else f"{folder}/{place.relative_to(common).as_posix()}"
        for value, place in there.items()
    }


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
