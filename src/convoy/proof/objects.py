"""DVC's content-addressed objects: in the cache of a clone, and in its remote. The one place that opens them.

An object is named by the MD5 of its bytes. Whatever is taken from here has been hashed on the way.
"""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from convoy import digests
from convoy.errors import IntegrityError

Copy = Callable[[str, Path], bool]  # (object, target) -> whether the object was there


def cache_folder(root: Path) -> Path | None:
    """The folder `files/md5` of a project's DVC cache; None where the project is none of DVC's."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local.path)
    except NotDvcRepoError:
        return None


def object_path(cache: Path, name: str) -> Path:
    """Where an object lies below `files/md5`."""
    return cache / name[:2] / name[2:]


def folder_listing(cache: Path | None, name: str) -> dict[str, str] | None:
    """The files of a folder object (relative path -> MD5); None where the cache lacks it or it is damaged."""
    if cache is None or not name.endswith(".dir"):
        return None
    try:
        return _listing(object_path(cache, name).read_bytes(), name, str(cache))
    except (OSError, IntegrityError):
        return None


def from_cache(cache: Path, name: str, target: Path) -> bool:
    """Copy a file or folder by its digest from a cache; False where the cache lacks a part of it.

    Raises:
        IntegrityError: an object's bytes are not what its name says.
    """

    def copy(oid: str, where: Path) -> bool:
        source = object_path(cache, oid)
        if not source.is_file():
            return False
        shutil.copyfile(source, where)
        return True

    return _take(copy, name, target, f"the DVC cache {cache}")


def from_remote(root: Path, name: str, target: Path) -> bool:
    """The same from the project's default DVC remote; False where there is none or it lacks a part.

    Raises:
        IntegrityError: an object's bytes are not what its name says.
        ResourceError: the remote does not answer.
    """
    from dvc.config import RemoteConfigError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from convoy.errors import ResourceError

    try:
        with Repo(str(root)) as repo:
            try:
                remote: Any = repo.cloud.get_remote_odb()
            except RemoteConfigError:  # NoRemoteError is one
                return False
            shown = str(remote.fs.unstrip_protocol(remote.path))

            def copy(oid: str, where: Path) -> bool:
                source = remote.oid_to_path(oid)
                try:
                    remote.fs.get_file(source, str(where))
                except FileNotFoundError:
                    return False
                return True

            return _take(copy, name, target, f"the DVC remote {shown}")
    except (DvcException, ConnectionError, TimeoutError) as error:
        raise ResourceError(
            f"the DVC remote cannot be read: {error}", where=str(root), fix="`dvc remote list` shows it"
        ) from error


def _take(copy: Copy, name: str, target: Path, where: str) -> bool:
    """Write `target` from objects, each one hashed; what was written is removed when a part is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not name.endswith(".dir"):
            done = copy(name, target)
            if done:
                _check(target, name, where)
        else:
            done = _take_folder(copy, name, target, where)
    except BaseException:
        _remove(target)
        raise
    if not done:
        _remove(target)
    return done


def _take_folder(copy: Copy, name: str, target: Path, where: str) -> bool:
    index = target.parent / f".{target.name}.dir"
    try:
        if not copy(name, index):
            return False
        entries = _listing(index.read_bytes(), name, where)
    finally:
        index.unlink(missing_ok=True)
    with ThreadPoolExecutor() as pool:
        return all(pool.map(lambda item: _take_file(copy, item, target, where), entries.items()))


def _take_file(copy: Copy, item: tuple[str, str], folder: Path, where: str) -> bool:
    name, md5 = item
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not copy(md5, path):
        return False
    _check(path, md5, where)
    return True


def _listing(content: bytes, name: str, where: str) -> dict[str, str]:
    if f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir" != name:
        raise _damaged(name, where)
    try:
        return digests.parse_listing(content)
    except ValueError:
        raise _damaged(name, where) from None


def _check(path: Path, md5: str, where: str) -> None:
    if digests.file_md5(path) != md5:
        raise _damaged(md5, where)


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _damaged(name: str, where: str) -> IntegrityError:
    return IntegrityError(
        f"the object {name} was altered",
        where=where,
        fix="`convoy verify` lists what was altered; remove the object and fetch it again",
    )
