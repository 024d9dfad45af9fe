"""Stage `ingest`: from a data folder to the sample table."""

from pathlib import Path
from typing import TYPE_CHECKING

from convoy import io, layout, plugins
from convoy.config.data import DataConfig
from convoy.data import manifest
from convoy.data._threads import in_chunks

if TYPE_CHECKING:
    from convoy.config.schema import Config

_EXAMPLES = 10


def ingest(data: DataConfig, *, out: Path) -> None:
    """List the samples and give each the id of its content.

    Writes samples.parquet, then source.json: source, classes, ignored, digest.

    Raises:
        ConfigError: there is no such source.
        DataError: the data are not what the source expects, or a file cannot be read.
    """
    source = plugins.load("source", data.source)
    root = Path(data.path)
    scan = source.scan(root)
    read = source.reader(root)
    paths = scan.samples["path"].tolist()

    def ids(rows: range) -> list[str]:
        return [manifest.content_id(read(paths[row])) for row in rows]

    samples = scan.samples.assign(id=[i for part in in_chunks(ids, len(paths)) for i in part])
    io.fresh_dir(out)
    manifest.write(out, samples)
    io.write_json(
        out / "source.json",
        {
            "source": data.source,
            "classes": scan.classes,
            "ignored": {"count": len(scan.ignored), "examples": scan.ignored[:_EXAMPLES]},
            "digest": manifest.digest(samples),
        },
    )


def main(config: "Config") -> None:
    ingest(config.data, out=layout.INGEST)
