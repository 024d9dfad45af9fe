"""The store: a folder of memory-mapped arrays that belong together, one entry a sample.

    shard-….npy    (n, H, W, C) uint8: pictures, in one file or several (see `convoy.data.shards`); other
                   modalities have none
    target.npy     (N,) int64, index into the classes; -1 where the task has none
    id.npy         (N,) S32
    keypoints.npy  (N, K, 3) float32, where the task has them: x and y in pixels of these pictures (the first
                   pixel's centre is 0), visibility (0 unknown, 1 hidden, 2 seen)
    values.npy     (N, K) float32, where the task has them: numbers to predict, or 1 and 0 for labels that
                   hold and that do not; added by `extend`
    NAME.npy, NAME.offsets.npy   fields whose samples differ in length (tokens): all values one after the
                   other, and where each sample begins, (N + 1,); see `convoy.data.ragged`
    schema.json    the shards in order, shapes, types and SHA-256 of the arrays; written last, so its presence
                   means complete

A file is given its place on the disk before it is filled: a full disk is an OSError, not a bus error later.
"""

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.data import ragged
from convoy.data.mapped import allocate
from convoy.data.shards import Rows, Shard
from convoy.errors import IntegrityError

VERSION = 2
SCHEMA = "schema.json"
_ARRAYS = ("target", "id")
_OPTIONAL = ("keypoints", "values")
_FIELD = re.compile(r"[a-z]+")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.npy")
_IN_MEMORY = 64 << 20  # bytes of pixels: small pictures are gathered faster from one array than from shards
_FIX = "run the stage that writes it again (`dvc repro`)"


@dataclass(frozen=True)
class Writer:
    """Arrays of a store of one shard that is being written; before `finish` it is none to any reader."""

    folder: Path
    images: NDArray[np.uint8]
    target: NDArray[np.int64]
    id: NDArray[np.bytes_]

    def finish(self) -> None:
        """Flush the arrays and write the schema.

        Raises:
            OSError: the disk is full.
        """
        digests = {}
        for name in ("images", *_ARRAYS):
            getattr(self, name).flush()
            path = self.folder / f"{name}.npy"
            with path.open("rb") as written:
                os.fsync(written.fileno())
            digests[name] = io.sha256_file(path)
        shard = {"file": "images.npy", "rows": len(self.images), "sha256": digests["images"]}
        arrays = {name: _described(getattr(self, name), digests[name]) for name in _ARRAYS}
        _write_schema(self.folder, self.images.shape[1:], [shard], arrays)


def finish(
    folder: Path,
    shards: Sequence[Shard],
    image: tuple[int, int, int] | None,
    arrays: Mapping[str, NDArray[Any]],
    varying: Mapping[str, tuple[NDArray[Any], NDArray[np.int64]]] | None = None,
) -> None:
    """Complete a store whose shards lie in `folder`: write its other arrays and, last, the schema.

    Args:
        shards: in order.
        image: (H, W, C); None: there are no shards.
        arrays: target, id and, where the task has them, keypoints.
        varying: fields whose samples differ in length: values and offsets.

    Raises:
        OSError: the disk is full.
    """
    described = {}
    varying = varying or {}
    written = {**arrays}
    for name, (values, bounds) in varying.items():
        written |= {name: values, ragged.offsets_of(name): bounds}
    for name, array in written.items():
        with io.atomic_path(folder / f"{name}.npy") as temporary, temporary.open("wb") as handle:
            np.save(handle, array, allow_pickle=False)
        described[name] = _described(array, io.sha256_file(folder / f"{name}.npy"))
    listed = [
        {"file": each.file, "rows": each.rows, "sha256": each.sha256, "sums": list(each.sums)}
        for each in shards
    ]
    _write_schema(folder, image, listed, described, list(varying))


def extend(folder: Path, name: str, array: NDArray[Any]) -> None:
    """Add an array, one entry a sample, to a complete store, which is none meanwhile.

    Raises:
        OSError: the disk is full.
    """
    schema = _read_schema(folder)
    assert len(array) == schema["length"]
    (folder / SCHEMA).unlink()
    with io.atomic_path(folder / f"{name}.npy") as temporary, temporary.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)
    schema["arrays"][name] = _described(array, io.sha256_file(folder / f"{name}.npy"))
    io.write_json(folder / SCHEMA, schema)


def create(folder: Path, length: int, image: tuple[int, int, int]) -> Writer:
    """Begin a store of one shard in `folder`; what an earlier, killed run left there counts for nothing.

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
        images=allocate(folder / "images.npy", (length, *image), np.dtype(np.uint8)),
        target=allocate(folder / "target.npy", (length,), np.dtype("<i8")),
        id=allocate(folder / "id.npy", (length,), np.dtype("S32")),
    )


class Store:
    """Read access: `store[indices]` gathers a batch, without Python work for each sample."""

    def __init__(
        self, folder: Path, schema: dict[str, Any], shards: Sequence[NDArray[np.uint8]],
        arrays: dict[str, NDArray[Any]],
    ) -> None:  # fmt: skip
        self.folder = folder
        self.schema = schema
        self._shards = shards
        self._arrays = arrays

    @classmethod
    def open(cls, folder: Path, *, verify: bool = False) -> Self:
        """Map a complete store.

        Args:
            folder: written by `create` and `Writer.finish`, or by `finish`.
            verify: also compare the arrays' bytes with the digests in the schema.

        Raises:
            IntegrityError: the store is incomplete, or its arrays are not those that the schema describes.
        """
        schema = _read_schema(folder)
        image, length = schema["image"], schema["length"]
        shards = [
            _map(folder / entry["file"], [entry["rows"], *image], "|u1", entry["sha256"] if verify else None)
            for entry in schema["shards"]
        ]
        described = {name: schema["arrays"].get(name) for name in (*_ARRAYS, *_OPTIONAL)}
        arrays = {
            name: _map(
                folder / f"{name}.npy", each["shape"], each["dtype"], each["sha256"] if verify else None
            )
            for name, each in described.items()
            if each is not None
        }
        lengths = {len(array) for array in arrays.values()}
        if shards:
            lengths.add(sum(len(shard) for shard in shards))
        for name in schema.get("varying", []):
            arrays |= _map_varying(folder, name, schema["arrays"], length, verify)
        if lengths != {length}:
            raise IntegrityError("the arrays differ in length", where=str(folder), fix=_FIX)
        return cls(folder, schema, shards, arrays)

    def __len__(self) -> int:
        return len(self.target)

    @cached_property
    def _images(self) -> "NDArray[np.uint8] | Rows":
        if len(self._shards) == 1:
            return self._shards[0]
        if sum(shard.nbytes for shard in self._shards) > _IN_MEMORY:
            return Rows(self._shards)
        whole = np.concatenate(self._shards)
        whole.flags.writeable = False
        return whole

    def __getitem__(self, indices: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
        """Copies of the samples at `indices` (B,): images (B, H, W, C), target (B,), id (B,), keypoints.

        Of fields that differ in length: the values one after the other, and their offsets (B + 1,).
        """
        return self.read(indices, None)

    def read(self, indices: NDArray[np.integer], fields: Collection[str] | None) -> dict[str, NDArray[Any]]:
        """The same of some fields, beside target and id; None: of all."""
        found: dict[str, NDArray[Any]] = (
            {"images": self._images.take(indices, axis=0)} if self._shards else {}
        )
        for name, array in self._arrays.items():
            if name in self.varying or name.endswith(".offsets"):
                continue
            found[name] = array.take(indices, axis=0)
        for name in self.varying:
            if fields is None or name in fields:
                values, bounds = ragged.take(*self.field(name), indices)
                found |= {name: values, ragged.offsets_of(name): bounds}
        return found

    @property
    def varying(self) -> list[str]:
        """Fields whose samples differ in length."""
        return list(self.schema.get("varying", []))

    def field(self, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """All values of a field that differs in length, and the offsets (N + 1,)."""
        return self._arrays[name], self._arrays[ragged.offsets_of(name)]

    def lengths(self, name: str) -> NDArray[np.int64]:
        """(N,)."""
        return np.diff(self.field(name)[1])

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, H, W, C), read-only: mapped where there is one shard, in memory where several are small.

        Several large ones are no array, but are read like one: see `Rows`.
        """
        return cast(NDArray[np.uint8], self._images)

    @property
    def sample_bytes(self) -> int:
        """Of one picture; 0 of what is small."""
        return int(np.prod(self.images.shape[1:])) if self._shards else 0

    @property
    def target(self) -> NDArray[np.int64]:
        """(N,) index into the classes."""
        return self._arrays["target"]

    @property
    def id(self) -> NDArray[np.bytes_]:
        """(N,) S32."""
        return self._arrays["id"]

    @property
    def keypoints(self) -> NDArray[np.float32] | None:
        """(N, K, 3); None where the task has none."""
        return self._arrays.get("keypoints")

    @property
    def values(self) -> NDArray[np.float32] | None:
        """(N, K) numbers to predict, or 0 and 1 by label; None where the task has none."""
        return self._arrays.get("values")

    @property
    def digest(self) -> str:
        """SHA-256 that stands for all bytes of the store: of its schema, which holds those of the arrays."""
        return io.sha256_bytes(io.dump_json(self.schema).encode("utf-8"))


def _described(array: NDArray[Any], sha256: str) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": array.dtype.str, "sha256": sha256}


def _write_schema(
    folder: Path,
    image: tuple[int, ...] | None,
    shards: list[dict[str, Any]],
    arrays: dict[str, Any],
    varying: Sequence[str] = (),
) -> None:
    schema: dict[str, Any] = {
        "version": VERSION,
        "length": arrays["target"]["shape"][0],
        "image": None if image is None else list(image),
        "shards": shards,
        "arrays": arrays,
    }
    if varying:
        schema["varying"] = sorted(varying)
    io.write_json(folder / SCHEMA, schema)


def _read_schema(folder: Path) -> dict[str, Any]:
    """The schema, with all that `Store.open` needs in it.

    Raises:
        IntegrityError: it is missing, damaged or of another version.
    """
    where = str(folder / SCHEMA)
    try:
        schema = io.read_json(folder / SCHEMA)
        version = schema["version"]
        if version == VERSION:
            files = [entry["file"] for entry in schema["shards"]]
            varying = schema.get("varying", [])
            flat = {name for each in varying for name in (each, ragged.offsets_of(each))}
            complete = (
                (len(files) > 0) == (schema["image"] is not None)
                and (len(files) > 0 or len(varying) > 0)
                and all(_FIELD.fullmatch(name) for name in varying)
                and all(_FILE.fullmatch(file) for file in files)
                and all({"rows", "sha256"} <= entry.keys() for entry in schema["shards"])
                and {*_ARRAYS, *flat} <= schema["arrays"].keys() <= {*_ARRAYS, *_OPTIONAL, *flat}
                and all({"shape", "dtype", "sha256"} <= entry.keys() for entry in schema["arrays"].values())
                and (schema["image"] is None or len(schema["image"]) == 3)
                and isinstance(schema["length"], int)
            )
    except FileNotFoundError:
        raise IntegrityError(
            "this is no complete store: schema.json is missing", where=str(folder), fix=_FIX
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise IntegrityError("the schema is damaged", where=where, fix=_FIX) from None
    if version != VERSION:
        raise IntegrityError(
            f"the store is of version {version!r}, this is convoy for version {VERSION}",
            where=where,
            fix=_FIX,
        )
    if not complete:
        raise IntegrityError("the schema is damaged", where=where, fix=_FIX)
    return cast(dict[str, Any], schema)


def _map_varying(
    folder: Path, name: str, described: Mapping[str, Any], length: int, verify: bool
) -> dict[str, NDArray[Any]]:
    """The values and the offsets of a field whose samples differ in length."""
    found = {}
    for each in (name, ragged.offsets_of(name)):
        known = described[each]
        sha256 = known["sha256"] if verify else None
        found[each] = _map(folder / f"{each}.npy", known["shape"], known["dtype"], sha256)
    values, bounds = found.values()
    sound = len(bounds) == length + 1 and bounds[0] == 0 and bounds[-1] == len(values)
    if not sound or (np.diff(bounds) < 0).any():
        raise IntegrityError(f"the offsets of {name} do not fit", where=str(folder), fix=_FIX)
    return found


def _map(path: Path, shape: list[int], dtype: str, sha256: str | None) -> NDArray[Any]:
    """An array of this shape and type; with `sha256`, of these bytes."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(f"cannot map the array: {error}", where=str(path), fix=_FIX) from None
    if list(array.shape) != shape or array.dtype.str != dtype or not array.flags.c_contiguous:
        raise IntegrityError(
            f"the array holds {array.dtype.str} {list(array.shape)}, the schema says {dtype} {shape}",
            where=str(path),
            fix=_FIX,
        )
    if sha256 is not None and io.sha256_file(path) != sha256:
        raise IntegrityError("the array's bytes are not those that were written", where=str(path), fix=_FIX)
    plain: NDArray[Any] = array.view(np.ndarray)  # same memory; gathering from a plain array is cheaper
    return plain
