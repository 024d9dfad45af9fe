"""Class folders of pictures (see `_class_folders`), of every ending that Pillow or OpenCV knows."""

from pathlib import Path

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.files import open_place
from convoy.data.sources import _class_folders
from convoy.data.sources._base import Reader, Scan

_FIX = "data.path in params.yaml must name the folder that holds the class folders, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """All pictures, by path.

    Raises:
        DataError: see `_class_folders.scan`.
    """
    return _class_folders.scan(open_place(root, _FIX), pixels.extensions(), "picture", data)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files, never one outside the root."""
    files = open_place(root, _FIX)
    return Reader(files.read, files.stamp)
