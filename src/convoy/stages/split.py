"""Stage `split`: which sample trains, validates or tests, frozen in a table."""

from pathlib import Path
from typing import TYPE_CHECKING

from convoy import io, layout
from convoy.config.data import SplitConfig
from convoy.data import manifest
from convoy.data.split import assign

if TYPE_CHECKING:
    from convoy.config.schema import Config


def split(validated: Path, config: SplitConfig, *, out: Path) -> None:
    """Divide the samples.

    Writes samples.parquet, then summary.json: strategy, carved, classes, counts by split and class, totals.

    Raises:
        ConfigError: `predefined` was asked for and the data have no splits.
        DataError: a class is missing in a split.
        IntegrityError: the table of `validate` is missing or damaged.
    """
    samples = manifest.read(validated)
    classes: list[str] = manifest.read_facts(validated / "report.json")["classes"]
    chosen, how = assign(
        samples,
        strategy=config.strategy,
        val=config.val,
        test=config.test,
        seed=config.seed,
        classes=classes,
    )
    samples = samples.assign(split=chosen)
    counts = {side: manifest.counts(samples[samples["split"] == side], classes) for side in manifest.SPLITS}
    io.fresh_dir(out)
    manifest.write(out, samples)
    io.write_json(
        out / "summary.json",
        {
            **how,
            "classes": classes,
            "counts": counts,
            "totals": {side: sum(each.values()) for side, each in counts.items()},
        },
    )


def main(config: "Config") -> None:
    split(layout.VALIDATE, config.split, out=layout.SPLIT)
