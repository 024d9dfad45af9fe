"""From a data folder to the table that `prepare` reads, without the gate."""

from pathlib import Path

from convoy import io
from convoy.config.data import DataConfig, SplitConfig
from convoy.data import manifest, opening
from convoy.stages.split import split


def divided(root: Path, data: DataConfig) -> Path:
    """Scan, name by content and split; the folder that `split` would leave."""
    scan, read = opening.scan(data), opening.reader(data)
    samples = scan.samples.assign(id=[manifest.content_id(read(path)) for path in scan.samples["path"]])
    manifest.write(root / "validate", samples)
    io.write_json(root / "validate" / "report.json", {"classes": scan.classes})
    split(root / "validate", SplitConfig(strategy="auto", val=0.2, test=0.2, seed=0), out=root / "split")
    return root / "split"
