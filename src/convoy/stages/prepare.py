"""Stage `prepare`: samples to memory-mapped arrays, and what was fitted on the training split."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convoy import io, layout, plugins
from convoy.config._base import Section
from convoy.config.data import DataConfig
from convoy.data import manifest
from convoy.errors import ConfigError

if TYPE_CHECKING:
    from convoy.config.schema import Config

CACHE = layout.STATE / "cache" / "prepare"
_VERSION = 1


def prepare(
    divided: Path,
    data: DataConfig,
    config: Section,
    *,
    max_pixels: int,
    out: Path,
    objective: str = "classification",
    cache: Path | None = None,
    processes: int | None = None,
) -> None:
    """Bring every sample into the store of its split, as the modality does.

    Writes train/, val/ and test/, then preprocessor.json: modality, spec, classes (the names of the network's
    outputs), and what modality and objective fitted on the training split. The bytes depend neither on the
    cache nor on the number of processes.

    Args:
        config: section `prepare`, the modality's own.
        max_pixels: of a picture.
        objective: name of what is learned.
        cache: where finished work is kept between runs; None: nowhere.
        processes: default: as the work asks for.

    Raises:
        ConfigError: the data are of another objective.
        DataError: a sample changed since it was ingested, or cannot be read now.
        IntegrityError: the table of `split` is missing or damaged.
        OSError: the disk is full.
    """
    samples = manifest.read(divided)
    facts = manifest.read_facts(divided / "summary.json")
    classes: list[str] = facts["classes"]
    learned = plugins.load("targets", objective)
    _check(facts.get("task", "classification"), objective, learned.TASKS)
    io.fresh_dir(out)
    fitted, said = plugins.load("preparing", data.modality).prepare(
        samples, classes, data, config, max_pixels=max_pixels, out=out, cache=cache, processes=processes
    )
    own = learned.fit(out, samples, facts, data, classes)
    io.write_json(
        out / "preprocessor.json",
        {"version": _VERSION, "modality": data.modality, "classes": classes, **fitted, **own},
    )
    sys.stdout.write(f"prepare: {said}\n")
    sys.stdout.flush()


def _check(task: str, objective: str, tasks: Sequence[str]) -> None:
    if task not in tasks:
        raise ConfigError(
            f"the data are for {task}, and objective {objective} learns {' or '.join(tasks)}",
            where="params.yaml: objective.name",
            fix="choose another objective, or name the columns of its targets in section data",
        )


def main(config: "Config") -> None:
    prepare(
        layout.SPLIT,
        config.data,
        config.prepare,
        max_pixels=config.validation.max_pixels,
        out=layout.PREPARE,
        objective=config.objective.name,
        cache=CACHE,
    )
