"""A data set by its name (`data.dataset`), from its own files; `_sets` lists them.

The files lie below `data.path` as torchvision lays them (`MNIST/raw/…`, `cifar-10-batches-bin/…`), or in
`data.path` itself; `convoy data get NAME` puts them there. Nothing is fetched here, and nothing is unpickled:
of CIFAR the binary version is read. Locators are "<file below data.path>#<row>".
"""

import hashlib
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.sources import _labels, _packed, _set_file
from convoy.data.sources._base import Reader, Scan, existing, listed, unreadable
from convoy.data.sources._sets import NamedSet, Part, named
from convoy.errors import DataError


def scan(root: Path, data: DataConfig) -> Scan:
    """All rows of all files of the data set, files in its own order, rows by number.

    Raises:
        ConfigError: no data set has that name.
        DataError: files are missing, damaged or of another data set.
    """
    known, dataset = _known(data)
    existing(root, fix=_get(dataset))
    folder = _folder(root, known, dataset)
    names = np.array(known.classes, dtype=object)
    parts, used = [], set()
    for part in known.parts:
        images, beside = _files(root / folder, part)
        numbers = _set_file.labels(known, images, beside)
        parts.append(_packed.part((folder / images.name).as_posix(), names[numbers], part.split))
        used |= {images.name, beside.name if beside else images.name}
    samples, classes = _labels.checked(pd.concat(parts, ignore_index=True), list(known.classes), data)
    return Scan(samples, classes, _others(root, folder, used), _doubts(root / folder, known, dataset, used))


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads rows as (H, W) or (H, W, 3) uint8, upright."""
    known, _ = _known(data)
    names = {name for part in known.parts for name in (part.images, f"{part.images}.gz")}

    def load(name: str) -> _packed.Pixels:
        path = PurePosixPath(name)
        if path.name not in names or path.parent not in _folders(known) or name != path.as_posix():
            raise _packed.unknown(name, str(root))
        return _set_file.pictures(known, root / path)

    return _packed.reader(load, str(root))


def present(root: Path, data: DataConfig) -> bool:
    """Whether all files that `scan` needs lie in one of the folders where it looks for them.

    Raises:
        ConfigError: no data set has that name.
    """
    known, _ = _known(data)
    return any(not _absent(root / folder, known) for folder in _folders(known))


def _known(data: DataConfig) -> tuple[NamedSet, str]:
    assert data.dataset is not None  # the configuration sees to it
    return named(data.dataset), data.dataset


def _get(dataset: str) -> str:
    return f"run `convoy data get {dataset}`"


def _folders(known: NamedSet) -> list[PurePosixPath]:
    """Where the files may lie below `data.path`, in the order of preference."""
    own = PurePosixPath(known.folder)
    return [own, PurePosixPath(own.name), PurePosixPath()]


def _files(folder: Path, part: Part) -> tuple[Path, Path | None]:
    """The pictures and the labels of a part, as they lie there; a raw file is preferred to a gzipped one."""
    found = [
        next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), folder / name)
        for name in (part.images, part.labels)
        if name
    ]
    return found[0], found[1] if len(found) > 1 else None


def _folder(root: Path, known: NamedSet, dataset: str) -> PurePosixPath:
    """The folder that holds the files.

    Raises:
        DataError: none holds all of them.
    """
    missing: list[str] = []
    for folder in _folders(known):
        absent = _absent(root / folder, known)
        if not absent:
            return folder
        if len(absent) < 2 * len(known.parts) and not missing:
            missing = absent
    if known.kind == "cifar" and (pickled := _pickled(root, known)):
        raise DataError(
            f"{pickled} is the pickled version of {dataset}, and unpickling runs code: it is not read",
            where=str(root),
            fix=f"{_get(dataset)}, which fetches the binary version ({known.remotes[0].name})",
        )
    wanted = missing or [part.images for part in known.parts]
    raise DataError(
        f"files of {dataset} are missing: {listed(wanted)}",
        where=str(root),
        fix=f"{_get(dataset)}, or put them into {known.folder or 'the data folder'}",
    )


def _absent(folder: Path, known: NamedSet) -> list[str]:
    """Names of the data set's files that are not in a folder."""
    pairs = [_files(folder, part) for part in known.parts]
    return [path.name for pair in pairs for path in pair if path is not None and not path.is_file()]


def _pickled(root: Path, known: NamedSet) -> str | None:
    """What lies there of the version of CIFAR for Python."""
    stem = known.remotes[0].name.removesuffix("-binary.tar.gz")
    names = (f"{stem}-python.tar.gz", f"{stem}-batches-py", f"{stem}-python", "data_batch_1", "batches.meta")
    return next((name for name in names if (root / name).exists()), None)


def _others(root: Path, folder: PurePosixPath, used: set[str]) -> list[str]:
    """What lies in the data folder and in that of the files, and is none of them."""
    try:
        names = {path.name for path in root.iterdir()}
        inside = {path.name for path in (root / folder).iterdir()}
    except OSError as error:
        raise unreadable(root, error) from None
    if not folder.parts:
        return sorted(names - used)
    return sorted((names - {folder.parts[0]}) | {f"{folder}/{name}" for name in inside - used})


def _doubts(folder: Path, known: NamedSet, dataset: str, used: set[str]) -> list[str]:
    """A note where a file that is published with a checksum has another one."""
    doubtful = [
        remote.name
        for remote in known.remotes
        if remote.name in used and remote.members is None and _md5(folder / remote.name) != remote.md5
    ]
    if not doubtful:
        return []
    return [f"not the published files of {dataset} (their MD5 differs): {listed(doubtful)}"]


def _md5(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
