"""Archives made in place, sound and unsound."""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

CONTENT = {
    "cat/1.png": b"one",
    "cat/deep/2.png": b"two" * 1000,
    "猫/3.png": b"",
    ".hidden/x": b"x",
    "notes.txt": b"n",
}
NAMES = sorted(name for name in CONTENT if not name.startswith("."))


def write_zip(path: Path, content: Mapping[str, bytes] = CONTENT, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, body in content.items():
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return path


def write_tar(path: Path, content: Mapping[str, bytes] = CONTENT, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, body in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return path


def write_folder(root: Path, content: Mapping[str, bytes] = CONTENT) -> Path:
    for name, body in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return root


def raw_zip(
    path: Path,
    names: list[bytes],
    *,
    flags: int = 0,
    system: int = 3,
    method: int = 0,
    attributes: int = 0,
    body: bytes = b"body",
    declared: int | None = None,
) -> Path:
    """A zip written by hand, with what a library would refuse to write."""
    packed = body
    if method == 8:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(body) + deflate.flush()
    size = len(body) if declared is None else declared
    files, central = b"", b""
    for name in names:
        facts = struct.pack(
            "<5H3L2H", 20, flags, method, 0, 33, zlib.crc32(body), len(packed), size, len(name), 0
        )
        central += b"PK\x01\x02" + bytes([20, system]) + facts
        central += struct.pack("<3H2L", 0, 0, 0, attributes, len(files)) + name
        files += b"PK\x03\x04" + facts + name + packed
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(names), len(names), len(central), len(files), 0)
    path.write_bytes(files + central + end)
    return path
