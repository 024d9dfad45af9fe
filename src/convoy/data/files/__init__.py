"""Where files of data lie: a folder, an archive, a folder of tar shards; read alike, never unpacked."""

from convoy.data.files._base import Files
from convoy.data.files.opening import open_place

__all__ = ["Files", "open_place"]
