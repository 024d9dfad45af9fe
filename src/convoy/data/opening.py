"""The samples that params.yaml names: the one place where a source is chosen and given its folder."""

from pathlib import Path

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.data.sources._base import Reader, Scan, Source


def scan(data: DataConfig, base: Path = Path()) -> Scan:
    """List the samples.

    Args:
        base: the project's root.

    Raises:
        DataError: the data are not what the source expects.
    """
    return _source(data).scan(base / data.path, data)


def reader(data: DataConfig, base: Path = Path()) -> Reader:
    """Gives the content of the samples that `scan` lists."""
    return _source(data).reader(base / data.path, data)


def _source(data: DataConfig) -> Source:
    source: Source = plugins.load("source", data.source)
    return source
