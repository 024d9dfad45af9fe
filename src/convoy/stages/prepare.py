"""Stage `prepare`: samples to memory-mapped arrays, and what was fitted on the training split."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convoy import io, layout, plugins
from convoy.config._base import Section
from convoy.config.data import DataConfig
from convoy.data import manifest

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
    cache: Path | None = None,
    processes: int | None = None,
) -> None:
    """Bring every sample into the store of its split, as the modality does.

    Writes train/, val/ and test/, then preprocessor.json: modality, spec, classes, and what the modality
    fitted on the training split. The bytes depend neither on the cache nor on the number of processes.

    Args:
        config: section `prepare`, the modality's own.
        max_pixels: of a picture.
        cache: where finished work is kept between runs; None: nowhere.
        processes: default: as the work asks for.

    Raises:
        DataError: a sample changed since it was ingested, or cannot be read now.
        IntegrityError: the table of `split` is missing or damaged.
        OSError: the disk is full.
    """
    samples = manifest.read(divided)
    classes: list[str] = manifest.read_facts(divided / "summary.json")["classes"]
    io.fresh_dir(out)
    fitted, said = plugins.load("preparing", data.modality).prepare(
        samples, classes, data, config, max_pixels=max_pixels, out=out, cache=cache, processes=processes
    )
    io.write_json(
        out / "preprocessor.json",
        {"version": _VERSION, "modality": data.modality, "classes": classes, **fitted},
    )
    sys.stdout.write(f"prepare: {said}\n")
    sys.stdout.flush()


def main(config: "Config") -> None:
    prepare(
        layout.SPLIT,
        config.data,
        config.prepare,
        max_pixels=config.validation.max_pixels,
        out=layout.PREPARE,
        cache=CACHE,
    )
