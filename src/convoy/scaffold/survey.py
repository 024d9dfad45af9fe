"""What the pictures of a data set are like: how many of which class, how large, grey or coloured."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import numpy as np
import pandas as pd

from convoy.data import pixels
from convoy.data.manifest import SPLITS
from convoy.data.sources._base import Reader, Scan, Task

MAX_PIXELS = 50_000_000

_LOOKED_AT = 200
_GREY_SPREAD = 10  # of 255: largest mean difference between the channels of a grey picture
_GREY_SHARE = 0.95
_SMALL = 64


class Seen(Protocol):
    """What a data set is like; parts add what they choose by.

    Attributes:
        samples: that can be used.
        counts: one row a class, in class order; columns train, val, test, none (no given split), all.
        unlabelled: samples without a usable label or content.
        given: whether the data name the splits.
    """

    @property
    def samples(self) -> int: ...
    @property
    def counts(self) -> pd.DataFrame: ...
    @property
    def unlabelled(self) -> int: ...
    @property
    def given(self) -> bool: ...
    @property
    def task(self) -> Task: ...


@dataclass(frozen=True)
class Survey:
    """Attributes:
    pictures: that have a label.
    counts: one row a class, in class order; columns train, val, test, none (no given split), all.
    side: median of the longer side, in pixels; 0 where no picture opens.
    square: whether nearly all have equal sides.
    grey: whether nearly all are grey.
    unreadable: locators of those that were looked at and do not open.
    unlabelled: samples without a usable label.
    given: whether the data name the splits.
    """

    pictures: int
    counts: pd.DataFrame
    side: int
    square: bool
    grey: bool
    unreadable: Sequence[str]
    unlabelled: int
    given: bool
    task: Task = "classification"

    @property
    def samples(self) -> int:
        return self.pictures


def survey(scan: Scan, read: Reader) -> Survey:
    """Count all samples and look at up to 200, evenly spread."""
    good = usable(scan)
    looked = [look for look in _looks(good["path"].tolist(), read) if look is not None]
    sizes = [look for look in looked if isinstance(look, tuple)]
    return Survey(
        pictures=len(good),
        counts=counted(good, scan.classes),
        side=round(median(max(width, height) for width, height, _ in sizes)) if sizes else 0,
        square=_most([abs(width - height) <= 0.05 * max(width, height) for width, height, _ in sizes]),
        grey=_most([grey for _, _, grey in sizes]),
        unreadable=[look for look in looked if isinstance(look, str)],
        unlabelled=len(scan.samples) - len(good),
        given=bool(good["split"].notna().any()),
        task=scan.task,
    )


def usable(scan: Scan) -> pd.DataFrame:
    """The samples that have what the task needs and that the source finds nothing wrong with."""
    samples = scan.samples
    right = samples["problem"].isna() if "problem" in samples else pd.Series(True, index=samples.index)
    if scan.task == "classification":
        right &= samples["target"].notna()
    return samples[right].reset_index(drop=True)


def spread(count: int, most: int) -> list[int]:
    """Up to `most` numbers below `count`, evenly spread."""
    return sorted({int(number) for number in np.linspace(0, count - 1, min(most, count))}) if count else []


def _looks(paths: Sequence[str], read: Reader) -> list[tuple[int, int, bool] | str]:
    """(width, height, grey) of each picture, or its locator where it does not open."""

    def look(path: str) -> tuple[int, int, bool] | str:
        from convoy.errors import DataError

        try:
            image = pixels.decode(read(path), 3, MAX_PIXELS)
        except (pixels.UndecodableImage, DataError):
            return path
        step = max(1, max(image.shape[:2]) // _SMALL)
        small = image[::step, ::step].astype(np.int16)
        return image.shape[1], image.shape[0], bool(np.ptp(small, axis=2).mean() < _GREY_SPREAD)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(look, [paths[number] for number in spread(len(paths), _LOOKED_AT)]))


def counted(samples: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """One row a class; columns train, val, test, none and all."""
    sides = samples["split"].where(samples["split"].notna(), "none")
    table = pd.crosstab(samples["target"], sides) if len(samples) else pd.DataFrame()
    table = table.reindex(index=list(classes), columns=[*SPLITS, "none"], fill_value=0)
    return table.assign(all=table.sum(axis=1))


def _most(answers: Sequence[bool]) -> bool:
    return bool(answers) and sum(answers) >= _GREY_SHARE * len(answers)
