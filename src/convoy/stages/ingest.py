"""Stage `ingest`: from a data folder to the sample table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from convoy import io, layout
from convoy.config.data import DataConfig
from convoy.data import fixes, manifest, opening, stamps
from convoy.data._threads import in_chunks
from convoy.data.sources._base import Reader
from convoy.errors import DataError

if TYPE_CHECKING:
    from convoy.config.schema import Config

_EXAMPLES = 10


class _Sample(NamedTuple):
    """What ingest finds out about a sample."""

    id: str
    stamp: str | None
    read: bool
    problem: str | None = None


def ingest(
    data: DataConfig, *, out: Path, corrections: Path = layout.FIXES, known: Path | None = None
) -> None:
    """List the samples and give each the id of its content; lay the corrections over them.

    Writes samples.parquet, then source.json: source, classes, ignored, digest, notes, task, points,
    separator.
    A sample that cannot be read is kept with a `problem`, under the id of "unreadable:" and its path.

    Args:
        corrections: the table of `convoy data fix`.
        known: folder for what is known of unchanged files, which are not read again; it may be deleted at any
            time. None: read all.

    Raises:
        ConfigError: there is no such source.
        DataError: the data are not what the source expects, or a correction does not fit.
    """
    scan = opening.scan(data)
    found = _identified(scan.samples["path"].tolist(), opening.reader(data), data, known)
    samples = scan.samples.assign(id=[sample.id for sample in found])
    samples = _with_problems(samples, [sample.problem for sample in found])
    samples = fixes.apply(scan, samples, corrections)
    io.fresh_dir(out)
    manifest.write(out, samples)
    io.write_json(
        out / "source.json",
        {
            "source": data.source,
            "classes": scan.classes,
            "ignored": {"count": len(scan.ignored), "examples": scan.ignored[:_EXAMPLES]},
            "digest": manifest.digest(samples),
            "notes": scan.notes,
            "task": scan.task,
            "points": scan.points,
            "separator": scan.separator,
        },
    )
    count = sum(sample.read for sample in found)
    for line in (*scan.notes, f"{len(found):,} samples, {count:,} read, {len(found) - count:,} known"):
        sys.stdout.write(f"ingest: {line}\n")


def _identified(paths: list[str], read: Reader, data: DataConfig, known: Path | None) -> list[_Sample]:
    """The ids of all samples; only files are read whose stamps are not known."""
    table = None if known is None else stamps.table(known, data)
    former = {} if table is None else stamps.read(table)

    def identify(path: str) -> _Sample:
        stamp = read.stamp(path)  # before the content: what changes meanwhile has another one
        if stamp is not None and (entry := former.get(path)) is not None and entry[0] == stamp:
            return _Sample(entry[1], stamp, read=False)
        try:
            return _Sample(manifest.content_id(read(path)), stamp, read=True)
        except DataError as error:
            identity = manifest.content_id(f"unreadable:{path}".encode())
            return _Sample(identity, None, read=True, problem=" ".join(error.what.split()))

    parts = in_chunks(lambda rows: [identify(paths[row]) for row in rows], len(paths))
    found = [sample for part in parts for sample in part]
    if table is not None:
        rows = zip(paths, found, strict=True)
        stamps.write(table, ((path, sample.stamp, sample.id) for path, sample in rows))
    return found


def _with_problems(samples: pd.DataFrame, problems: list[str | None]) -> pd.DataFrame:
    """The samples with the problems of reading; what the source says itself goes before."""
    if not any(problems):
        return samples
    read = pd.Series(problems, samples.index, dtype=object)
    if "problem" in samples:
        read = samples["problem"].where(samples["problem"].notna(), read)
    return samples.assign(problem=read)


def main(config: "Config") -> None:
    ingest(config.data, out=layout.INGEST, known=layout.STATE / "cache" / "stamps")
