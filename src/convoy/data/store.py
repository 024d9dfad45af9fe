"""The store: a folder of memory-mapped arrays that belong together, one entry a sample.

    images.npy   (N, H, W, C) uint8
    target.npy   (N,) int64, index into the classes
    id.npy       (N,) S32
    schema.json  shapes, types and SHA-256 of the arrays; written last, so its presence means complete

A new array is allocated on disk before it is mapped: a full disk is an OSError here, not a bus error later.
"""

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.errors import IntegrityError

VERSION = 1
SCHEMA = "schema.json"
_ARRAYS = ("images", "target", "id")
_FIX = "run the stage that writes it again (`dvc repro`)"


@dataclass(frozen=True)
class Writer:
    """Arrays of a store that is being written; no reader takes it for a store before `finish`."""

    folder: Path
    images: NDArray[np.uint8]
    target: NDArray[np.int64]
    id: NDArray[np.bytes_]

    def finish(self) -> None:
        """Flush the arrays and write the schema.

        Raises:
            OSError: the disk is full.
        """
        arrays: dict[str, Any] = {}
        for name in _ARRAYS:
            array = getattr(self, name)
            array.flush()
            path = self.folder / f"{name}.npy"
            with path.open("rb") as written:
                os.fsync(written.fileno())
            arrays[name] = {
                "shape": list(array.shape),
                "dtype": array.dtype.str,
                "sha256": io.sha256_file(path),
            }
        io.write_json(
            self.folder / SCHEMA, {"version": VERSION, "length": len(self.target), "arrays": arrays}
        )


def create(folder: Path, length: int, image: tuple[int, int, int]) -> Writer:
    """Begin a store in `folder`; what an earlier, killed run left there counts for nothing.

    Args:
        folder: made where it is missing.
        length: number of samples.
        image: (H, W, C).

    Raises:
        OSError: there is not enough space.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCHEMA).unlink(missing_ok=True)
    return Writer(
        folder,
        images=_allocate(folder / "images.npy", (length, *image), np.dtype(np.uint8)),
        target=_allocate(folder / "target.npy", (length,), np.dtype("<i8")),
        id=_allocate(folder / "id.npy", (length,), np.dtype("S32")),
    )


class Store:
    """Read access: `store[indices]` gathers a batch, without Python work for each sample."""

    def __init__(self, folder: Path, schema: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.folder = folder
        self.schema = schema
        self._arrays = arrays

    @classmethod
    def open(cls, folder: Path, *, verify: bool = False) -> Self:
        """Map a complete store.

        Args:
            folder: written by `create` and `finish`.
            verify: also compare the arrays' bytes with the digests in the schema.

        Raises:
            IntegrityError: the store is incomplete, or its arrays are not those that the schema describes.
        """
        try:
            schema = io.read_json(folder / SCHEMA)
            described = {name: schema["arrays"][name] for name in _ARRAYS}
        except FileNotFoundError:
            raise IntegrityError(
                "this is no complete store: schema.json is missing", where=str(folder), fix=_FIX
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            raise IntegrityError("the schema is damaged", where=str(folder / SCHEMA), fix=_FIX) from None
        arrays = {name: _map(folder / f"{name}.npy", entry, verify) for name, entry in described.items()}
        if {len(array) for array in arrays.values()} != {schema.get("length")}:
            raise IntegrityError("the arrays differ in length", where=str(folder), fix=_FIX)
        return cls(folder, schema, arrays)

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, indices: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
        """Copies of the samples at `indices` (B,): images (B, H, W, C), target (B,), id (B,)."""
        return {name: np.take(array, indices, axis=0) for name, array in self._arrays.items()}

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, H, W, C), mapped, read-only."""
        return self._arrays["images"]

    @property
    def target(self) -> NDArray[np.int64]:
        """(N,) index into the classes."""
        return self._arrays["target"]

    @property
    def id(self) -> NDArray[np.bytes_]:
        """(N,) S32."""
        return self._arrays["id"]

    @property
    def digest(self) -> str:
        """SHA-256 that stands for all bytes of the store: of its schema, which holds those of the arrays."""
        return io.sha256_bytes(io.dump_json(self.schema).encode("utf-8"))


def _allocate(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A new .npy file whose blocks are reserved, mapped for writing."""
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    path.unlink(missing_ok=True)  # never through a link into a cache
    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        handle.flush()
        _reserve(handle.fileno(), handle.tell(), int(np.prod(shape)) * dtype.itemsize)
    return np.lib.format.open_memmap(path, mode="r+")


def _reserve(handle: int, offset: int, size: int) -> None:
    if size == 0:
        return
    try:
        os.posix_fallocate(handle, offset, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        block = bytes(1 << 20)
        for at in range(0, size, len(block)):  # a file system without reservation: write the zeros
            os.pwrite(handle, block[: size - at], offset + at)


def _map(path: Path, entry: dict[str, Any], verify: bool) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(f"cannot map the array: {error}", where=str(path), fix=_FIX) from None
    if list(array.shape) != entry.get("shape") or array.dtype.str != entry.get("dtype"):
        raise IntegrityError(
            f"the array holds {array.dtype.str} {list(array.shape)}, the schema says "
            f"{entry.get('dtype')} {entry.get('shape')}",
            where=str(path),
            fix=_FIX,
        )
    if verify and io.sha256_file(path) != entry.get("sha256"):
        raise IntegrityError("the array's bytes are not those that were written", where=str(path), fix=_FIX)
    plain: NDArray[Any] = array.view(np.ndarray)  # same memory; gathering from a plain array is cheaper
    return plain
