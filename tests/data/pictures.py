"""Pictures and data folders for the tests, made in place."""

import gzip
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_PIXELS = 1_000_000


def gradient(height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    """(H, W, 3): red grows to the right, green downwards, blue is flat; no symmetry."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = np.linspace(0, 255, width)
    picture[:, :, 1] = np.linspace(0, 255, height)[:, None]
    picture[:, :, 2] = 90
    return picture


def noise(seed: int, height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(width: int = 13_000, height: int = 13_000) -> bytes:
    """A small PNG whose header claims many pixels, with sound checksums."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(20_000)))
        + chunk(b"IEND", b"")
    )


def write_folder(root: Path, classes: Mapping[str, int], kind: str = "png") -> Path:
    """Different pictures, `<root>/<class>/<number>.<kind>`; a class name may hold slashes."""
    seed = len(list(root.rglob("*"))) * 1000
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed += 1
            content = encoded(noise(seed), {"jpg": "JPEG"}.get(kind, kind.upper()))
            (root / name / f"{number:03}.{kind}").write_bytes(content)
    return root


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()


def write_idx(
    root: Path, count: int = 12, prefix: str = "", packed: bool = False, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A pair of idx files; the labels 0, 3 and 7 take turns. Returns images (N, 5, 4) and labels (N,)."""
    root.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(seed).integers(0, 256, (count, 5, 4), dtype=np.uint8)
    labels = np.resize(np.array([7, 3, 0], np.uint8), count)
    for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        content = idx_bytes(array)
        path = root / f"{prefix}{name}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return images, labels
