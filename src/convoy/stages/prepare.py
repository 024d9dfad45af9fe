"""Stage `prepare`: pictures to memory-mapped arrays, and the statistics of the training split."""

from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import io, layout, plugins
from convoy.config.data import DataConfig, PrepareConfig
from convoy.data import manifest, pixels, store
from convoy.data._quiet import decoders_quiet
from convoy.data._threads import in_chunks
from convoy.data.sources._base import Reader
from convoy.errors import DataError

if TYPE_CHECKING:
    from convoy.config.schema import Config

_CONSTANT = 1e-6  # a channel whose deviation is below is constant and is divided by 1


def prepare(divided: Path, data: DataConfig, config: PrepareConfig, *, max_pixels: int, out: Path) -> None:
    """Decode and resize every sample into the store of its split.

    Writes train/, val/ and test/, then preprocessor.json: spec, mean, std (of x / 255 over the training
    split, by channel) and classes.

    Raises:
        DataError: a picture that `validate` opened does not open now.
        IntegrityError: the table of `split` is missing or damaged.
        OSError: the disk is full.
    """
    samples = manifest.read(divided)
    classes: list[str] = manifest.read_facts(divided / "summary.json")["classes"]
    spec = {**config.model_dump(), "max_pixels": max_pixels}
    read = plugins.load("source", data.source).reader(Path(data.path))
    io.fresh_dir(out)
    for side in manifest.SPLITS:
        _write(out / side, samples[samples["split"] == side], classes, read, spec)
    mean, std = statistics(store.Store.open(out / "train").images)
    io.write_json(
        out / "preprocessor.json",
        {"version": 1, "modality": "image", "spec": spec, "mean": mean, "std": std, "classes": classes},
    )


def statistics(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of x / 255 by channel, from sums of whole numbers: exact, in any order.

    Args:
        images: (N, H, W, C) uint8.

    Returns:
        Two lists of C numbers; the deviation of a constant channel is 1.
    """
    channels = images.shape[3]

    def sums(rows: range) -> NDArray[np.uint64]:
        part = images[rows.start : rows.stop].reshape(-1, channels)
        return np.stack(
            [part.sum(axis=0, dtype=np.uint64), np.square(part, dtype=np.uint32).sum(axis=0, dtype=np.uint64)]
        )

    first, second = sum(in_chunks(sums, len(images)), np.zeros((2, channels), np.uint64)).tolist()
    count = images.size // channels
    mean = [float(Fraction(total, 255 * count)) for total in first]
    variance = [
        float(Fraction(count * square - total * total, (255 * count) ** 2))
        for total, square in zip(first, second, strict=True)
    ]
    std = [sqrt(value) if sqrt(value) >= _CONSTANT else 1.0 for value in variance]
    return mean, std


def _write(
    folder: Path, samples: pd.DataFrame, classes: list[str], read: Reader, spec: dict[str, Any]
) -> None:
    """One split's store, in the table's order."""
    paths = samples["path"].tolist()
    writer = store.create(folder, len(samples), (spec["height"], spec["width"], spec["channels"]))
    writer.target[:] = samples["target"].map({name: number for number, name in enumerate(classes)})
    writer.id[:] = samples["id"].to_numpy(dtype="S32")

    def fill(rows: range) -> None:
        for row in rows:
            try:
                writer.images[row] = pixels.prepare(read(paths[row]), spec)
            except pixels.UndecodableImage as error:
                raise DataError(
                    f"{paths[row]} does not open any more: {error}",
                    where=str(folder),
                    fix="the data changed since they were validated: run the pipeline again",
                ) from None

    with decoders_quiet():
        for _ in in_chunks(fill, len(paths)):
            pass
    writer.finish()


def main(config: "Config") -> None:
    prepare(
        layout.SPLIT, config.data, config.prepare, max_pixels=config.validation.max_pixels, out=layout.PREPARE
    )
