"""One .npz file: the arrays in it by name, memory-mapped where they are not compressed, never unpickled."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from convoy.errors import DataError, ResourceError

FIX = "write it again with numpy.savez"
_LOCAL_HEADER = 30  # bytes before the name of a member: APPNOTE.TXT of PKWARE, 4.3.7


@dataclass(frozen=True)
class Header:
    """What the head of a .npy member says, and where its values begin, counted from that of the member."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int


class Archive:
    """An open .npz file; what is wrong inside becomes a DataError that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def __enter__(self) -> "Archive":
        try:
            self._zip = zipfile.ZipFile(self._path)
        except OSError as error:
            raise self.error(f"cannot read it: {error.strerror}", fix="mend its permissions") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self.error(f"it is truncated or no .npz file: {error}") from None
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in self._zip.infolist()
            if info.filename.endswith(".npy")
        }
        self.names = list(self._members)
        self._headers: dict[str, Header] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def error(self, what: str, fix: str = FIX) -> DataError:
        return DataError(f"{self._path.name}: {what}", where=self.where, fix=fix)

    def header(self, name: str) -> Header:
        """What the head of an array says; the values are not read."""
        if name not in self._headers:
            with self._open(name) as member:
                version = npy.read_magic(member)
                if version not in ((1, 0), (2, 0), (3, 0)):
                    raise ValueError(f"version {version} of the format is not known")
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, fortran, dtype = read(member)
                if dtype.hasobject:
                    raise self.error(
                        f"{name} holds Python objects, which would have to be unpickled, and that runs code",
                        fix="save pictures of one size as one uint8 array, labels as numbers or strings",
                    )
                header = Header(shape, fortran, dtype, member.tell())
            size = self._members[name].file_size
            if header.offset + prod(shape) * dtype.itemsize != size:
                raise self.error(f"{name} is damaged: its header tells of another size than its {size} bytes")
            self._headers[name] = header
        return self._headers[name]

    def array(self, name: str) -> NDArray[Any]:
        """The values of an array, its checksum compared; memory-mapped where it is stored uncompressed."""
        info, header = self._members[name], self.header(name)
        if info.compress_type == zipfile.ZIP_STORED and header.dtype.kind == "u" and not info.flag_bits & 1:
            values = self._mapped(name, info)
            if zlib.crc32(values.data) != info.CRC:
                raise self.error(f"{name} is damaged: its checksum differs")
            flat = values[header.offset :].view(header.dtype)
            return flat.reshape(header.shape, order="F" if header.fortran else "C")
        try:
            with self._open(name) as member:
                found: NDArray[Any] = npy.read_array(member, allow_pickle=False)
                member.read(1)  # at the end of a member its checksum is compared
        except MemoryError:
            raise ResourceError(
                f"{name} does not fit into memory: {info.file_size} bytes",
                where=self.where,
                fix="save it uncompressed, with numpy.savez: then it is memory-mapped",
            ) from None
        return found

    def _mapped(self, name: str, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
        """The bytes of a member that is not compressed."""
        with self._path.open("rb") as handle:
            handle.seek(info.header_offset)
            head = handle.read(_LOCAL_HEADER)
        start = info.header_offset + _LOCAL_HEADER
        start += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        if start + info.file_size > self._path.stat().st_size:
            raise self.error(f"{name} is truncated")
        return np.memmap(self._path, np.uint8, "r", offset=start, shape=(info.file_size,)).view(np.ndarray)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with self._zip.open(self._members[name]) as member:
                yield member  # type: ignore[misc]  # has what numpy needs
        except DataError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
            reason = str(error).split("\n")[0] or "it ends too early"
            raise self.error(f"{name} is truncated or damaged: {reason}") from None
