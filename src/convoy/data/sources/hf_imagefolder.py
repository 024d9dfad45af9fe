"""Hugging Face's imagefolder: pictures beside metadata.csv, metadata.jsonl or metadata.parquet.

Paths in its column `file_name` start from its folder. The split is that of the folder: train, val (valid,
validation, dev) or test; where one metadata file at the top names pictures in such folders alone, theirs.
Labels are in column `data.target`, or `label`. Without metadata it is an `image_folder`.
See https://huggingface.co/docs/datasets/image_dataset.
"""

import posixpath
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.files import Files, open_place
from convoy.data.sources import _rows, _tables
from convoy.data.sources._base import Reader, Scan, listed
from convoy.errors import DataError

IMAGE = "file_name"
LABEL = "label"
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FIX = "data.path in params.yaml must name the folder of the metadata files, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each row, metadata file by metadata file.

    Raises:
        DataError: there is no metadata, two files of it in one folder, one cannot be read or lacks a column,
            there are no rows, or none of the pictures is there.
    """
    files = open_place(root, _FIX)
    target = data.target or LABEL
    needed = _rows.columns(IMAGE, target, data)
    parts = []
    for name in _metadata(files):
        folder = posixpath.dirname(name)
        parts.append(_rows.Part(_tables.read(files, name, needed), (folder,), _split(folder)))
    found = _rows.scan(root, files, parts, IMAGE, target, data)
    if data.split_col is None and len(parts) == 1 and parts[0].split is None:
        _split_by_folder(found.samples, parts[0].folders[0])
    return found


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files, never one outside the root."""
    return _rows.reader(open_place(root, _FIX))


def _metadata(files: Files) -> list[str]:
    """Locators of the metadata files, in order."""
    names = [name for name in files.names() if posixpath.basename(name) in _METADATA]
    if not names:
        raise DataError(
            f"no metadata file ({', '.join(_METADATA)}) in the data",
            where=files.place,
            fix="add one with the columns file_name and label, or, where folders are the classes, "
            "set data.source: image_folder",
        )
    folders = [posixpath.dirname(name) for name in names]
    twice = [name for name, folder in zip(names, folders, strict=True) if folders.count(folder) > 1]
    if twice:
        raise DataError(
            f"several metadata files in one folder: {listed(twice)}",
            where=files.place,
            fix="keep one of them",
        )
    return names


def _split(folder: str) -> str | None:
    """The split that a folder's name, or that of the nearest one above it, says."""
    for part in reversed(folder.split("/")):
        if part.casefold() in _rows.SPLITS:
            return _rows.SPLITS[part.casefold()]
    return None


def _split_by_folder(samples: pd.DataFrame, above: str) -> None:
    """Set `split` where all pictures lie in folders called like splits."""
    prefix = f"{above}/" if above else ""
    sound = ~samples["path"].str.startswith("#")
    tops = samples["path"].str.removeprefix(prefix).str.extract(r"^([^/]+)/", expand=False).str.casefold()
    if tops[sound].isin(list(_rows.SPLITS)).all():
        samples["split"] = tops.map(_rows.SPLITS).astype(object).where(sound, None)
