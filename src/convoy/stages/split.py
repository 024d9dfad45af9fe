"""Stage `split`: which sample trains, validates or tests, frozen in a table."""

from pathlib import Path
from typing import TYPE_CHECKING

from convoy import io, layout
from convoy.config.data import SplitConfig
from convoy.data import manifest
from convoy.data.labelling import counts, shown
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
    facts = manifest.read_facts(validated / "report.json")
    classes: list[str] = facts["classes"]
    task = facts.get("task", "classification")
    chosen, how = assign(
        samples,
        strategy=config.strategy,
        val=config.val,
        test=config.test,
        seed=config.seed,
        classes=classes if task == "classification" and samples["target"].notna().any() else [],
        labels=shown(samples["target"], classes, facts["separator"]) if task == "labels" else None,
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
            "task": task,
            "points": facts.get("points", []),
            "separator": facts.get("separator", ""),
            "classes": classes,
            "counts": {side: counts(part, classes, facts) for side, part in parts.items()},
            "totals": {side: len(part) for side, part in parts.items()},
        },
    )


def main(config: "Config") -> None:
    split(layout.VALIDATE, config.split, out=layout.SPLIT)
