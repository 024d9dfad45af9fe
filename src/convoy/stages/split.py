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

    Writes samples.parquet, then summary.json: strategy, carved, moved, groups (see `assign`), classes,
    counts by split and class, totals.

    Raises:
        ConfigError: the strategy needs what the data do not have.
        DataError: a class is missing in a split, or samples lack what they are divided by.
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
        classes=classes if samples["target"].notna().any() else [],
        folds=config.folds,
        fold=config.fold,
    )
    samples = samples.assign(split=chosen)
    parts = {side: samples[samples["split"] == side] for side in manifest.SPLITS}
    io.fresh_dir(out)
    manifest.write(out, samples)
    io.write_json(
        out / "summary.json",
        {
            **how,
            "classes": classes,
            "counts": {side: manifest.counts(part, classes) for side, part in parts.items()},
            "totals": {side: len(part) for side, part in parts.items()},
        },
    )


def main(config: "Config") -> None:
    split(layout.VALIDATE, config.split, out=layout.SPLIT)
