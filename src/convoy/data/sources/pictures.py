"""Pictures without labels: every one in a folder or an archive, at any depth; for objective reconstruction.

Where the root holds nothing but folders called train, val (valid, validation) and test, these are the splits.
"""

from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.files import open_place
from convoy.data.sources._base import Reader, Scan
from convoy.data.sources._class_folders import SPLIT_NAMES, Tree
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder that holds the pictures, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:  # the contract of all sources
    """All pictures, by path.

    Raises:
        DataError: there is no folder, or no picture in it.
    """
    tree = Tree(open_place(root, _FIX), pixels.extensions(), "picture")
    if not tree.samples:
        raise DataError("there is no picture in the folder", where=tree.place, fix=_FIX)
    given = not tree.loose() and all(name.casefold() in SPLIT_NAMES for name in tree.folders())
    splits = [SPLIT_NAMES[path.partition("/")[0].casefold()] if given else None for path in tree.samples]
    samples = pd.DataFrame({"path": tree.samples, "target": None, "split": splits}, dtype=object)
    return Scan(samples, [], tree.ignored, list(tree.files.notes), task="none")


def reader(root: Path, data: DataConfig) -> Reader:  # the contract of all sources
    """Reads whole files, never one outside the root."""
    files = open_place(root, _FIX)
    return Reader(files.read, files.stamp)
