"""Class folders (see `_class_folders`) of CSV, WAV or JSON files: a file a sample.

What a file is, its content says, and `convoy.data.modalities.sequence.signals` how it is read: of CSV (.csv,
.tsv, .txt) a line is a time step and a column a channel; WAV is PCM and tells its rate.
"""

from pathlib import Path

from convoy.config.data import DataConfig
from convoy.data.files import open_place
from convoy.data.sources import _class_folders
from convoy.data.sources._base import Reader, Scan

ENDINGS = frozenset({".csv", ".tsv", ".txt", ".wav", ".json"})
_FIX = "data.path in params.yaml must name the folder that holds the class folders, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """All files, by path.

    Raises:
        DataError: see `_class_folders.scan`.
    """
    return _class_folders.scan(open_place(root, _FIX), ENDINGS, "file", data)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files, never one outside the root."""
    files = open_place(root, _FIX)
    return Reader(files.read, files.stamp)
