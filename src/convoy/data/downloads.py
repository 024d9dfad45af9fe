"""Fetching of the named data sets: whole files with the right checksum, or nothing.

Only the standard library's urllib; the addresses stand in `convoy.data.sources._sets` and nowhere else. A
file becomes current by a rename when its checksum is right; what a killed fetch left is removed by the next,
which goes on with the first file that is missing.
"""

import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from convoy import io
from convoy.data.sources._sets import SETS, Remote, named
from convoy.errors import ConvoyError, IntegrityError, ResourceError

_CHUNK = 1 << 20
_SPARE = 64 << 20  # bytes of the disk that are left free
_TIMEOUT = 60.0  # seconds without a byte
_BROKEN = (OSError, http.client.HTTPException)  # URLError and timeouts are OSErrors


def names() -> list[str]:
    """The data sets that `get` knows."""
    return sorted(SETS)


def get(
    dataset: str,
    folder: Path,
    *,
    mirrors: Sequence[str] | None = None,
    timeout: float = _TIMEOUT,
    say: Callable[[str], None] = lambda _line: None,
) -> Path:
    """Fetch a data set into `folder`, as the source `named` reads it; what lies there already is kept.

    A file with a published checksum that lies there is compared; one taken from an archive is kept as it is.
    An archive that lies there with the right checksum is unpacked without any network.

    Args:
        dataset: its name.
        folder: `data.path`.
        mirrors: addresses that hold the files, each ending in a slash; default: the published ones.
        timeout: seconds to wait for a server's next bytes.
        say: is told of each file that is fetched.

    Returns:
        The folder of the files, below `folder`.

    Raises:
        ConfigError: no data set has that name.
        ResourceError: no server gives the files, or the disk is too small.
        IntegrityError: what a server gives, or an archive's content, is not the published data set.
    """
    known = named(dataset)
    place = folder / known.folder
    servers = _Servers(mirrors or known.mirrors, timeout, say)
    try:
        for remote in known.remotes:
            _remove_leftovers(remote, folder, place)
            if remote.members is None:
                if not _is(place / remote.name, remote.md5):
                    servers.fetch(remote, place / remote.name, by_hand=place)
            elif not all((place / name).is_file() for name in _results(remote)):
                _take_members(remote, folder, place, servers)
    except OSError as error:
        raise ResourceError(
            f"the files of {dataset} cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            fix="look at the disk and at the folder's permissions",
        ) from None
    return place


def _results(remote: Remote) -> list[str]:
    return [remote.name] if remote.members is None else list(remote.members.values())


def _is(path: Path, md5: str) -> bool:
    """Whether a file is there and has that checksum."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, _hasher).hexdigest() == md5


def _hasher() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _remove_leftovers(remote: Remote, folder: Path, place: Path) -> None:
    """What a killed fetch left of a remote file."""
    for name in (remote.name, *_results(remote)):
        for path in {*folder.glob(f".{name}.*"), *place.glob(f".{name}.*")}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _take_members(remote: Remote, folder: Path, place: Path, servers: "_Servers") -> None:
    """Take the members out of an archive, which lies there already or is fetched and removed afterwards."""
    for path in (folder / remote.name, place / remote.name):
        if _is(path, remote.md5):
            _unpack(path, remote.members or {}, place)
            return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{remote.name}.", dir=folder) as scratch:
        path = Path(scratch) / remote.name
        servers.fetch(remote, path, by_hand=folder)
        _unpack(path, remote.members or {}, place)


@dataclass(frozen=True)
class _Servers:
    """Where files come from.

    Attributes:
        mirrors: addresses that hold the files, in the order of trying.
        timeout: seconds without a byte.
        say: is told of each file that is fetched.
    """

    mirrors: Sequence[str]
    timeout: float
    say: Callable[[str], None]

    def fetch(self, remote: Remote, path: Path, by_hand: Path) -> None:
        """Write one file, from the first mirror that gives it whole and right.

        Args:
            remote: what to fetch.
            path: what to write.
            by_hand: the folder into which a person may put it, for the error.

        Raises:
            ResourceError: none gives it.
            IntegrityError: each gives another file.
        """
        failures: list[ConvoyError] = []
        for mirror in self.mirrors:
            try:
                self._download(mirror + remote.name, path, remote.md5)
            except (ResourceError, IntegrityError) as error:
                failures.append(error)
            else:
                return
        wrong = all(isinstance(failure, IntegrityError) for failure in failures)
        raise (IntegrityError if wrong else ResourceError)(
            f"cannot fetch {remote.name}: " + "; ".join(failure.what for failure in failures),
            where=", ".join(failure.where for failure in failures),
            fix=f"look at the network, or put {remote.name} (MD5 {remote.md5}) into {by_hand} by hand",
        )

    def _download(self, url: str, path: Path, md5: str) -> None:
        """Write what a server gives to `path` if its checksum is right.

        Raises:
            ResourceError: there is no answer, no such file, less than was announced, or no room on the disk.
            IntegrityError: the checksum differs.
        """
        request = urllib.request.Request(url, headers={"User-Agent": "convoy"})  # noqa: S310  # from _sets
        digest, length = _hasher(), 0
        with _answers(url):
            answer = urllib.request.urlopen(request, timeout=self.timeout)  # noqa: S310
        with answer, io.atomic_path(path) as temporary:
            announced = answer.headers.get("Content-Length", "")
            wanted = int(announced) if announced.isdecimal() else None
            if wanted is not None and wanted + _SPARE > shutil.disk_usage(temporary.parent).free:
                raise ResourceError(f"no room on the disk for its {wanted:,} bytes", where=url)
            self.say(f"{url}, {wanted / 1e6:,.1f} MB" if wanted else url)
            with temporary.open("wb") as handle:
                while chunk := _next(answer, url):
                    handle.write(chunk)
                    digest.update(chunk)
                    length += len(chunk)
            if wanted is not None and length < wanted:
                raise ResourceError(f"broken off after {length:,} of {wanted:,} bytes", where=url)
            if digest.hexdigest() != md5:
                raise IntegrityError(f"the MD5 is {digest.hexdigest()}, not {md5}", where=url)


def _next(answer: http.client.HTTPResponse, url: str) -> bytes:
    with _answers(url):
        return answer.read(_CHUNK)


@contextmanager
def _answers(url: str) -> Iterator[None]:
    """What goes wrong with the network becomes a ResourceError."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise ResourceError(f"the server answers {error.code} {error.reason}", where=url) from None
    except _BROKEN as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ResourceError(f"no answer: {reason}", where=url) from None


def _unpack(archive: Path, members: Mapping[str, str], place: Path) -> None:
    """Write the members that are wanted, each whole, by the names that the table gives them.

    Raises:
        IntegrityError: a member is missing or damaged.
    """
    try:
        with _opened(archive) as read:
            for member, name in members.items():
                if not (place / name).is_file():
                    with (
                        read(member) as source,
                        io.atomic_path(place / name) as temporary,
                        temporary.open("wb") as target,
                    ):
                        shutil.copyfileobj(source, target, _CHUNK)
    except (KeyError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error) as error:
        raise IntegrityError(
            f"the archive does not hold what it should: {error}", where=str(archive), fix="remove it"
        ) from None


@contextmanager
def _opened(archive: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Reads the members of a zip or a tar by their names."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            yield zipped.open
        return
    with tarfile.open(archive) as tarred:

        def read(member: str) -> IO[bytes]:
            found = tarred.extractfile(member)
            if found is None:
                raise KeyError(f"{member} is no file")
            return found

        yield read
