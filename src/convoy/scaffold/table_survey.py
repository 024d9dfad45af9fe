"""What the rows of a data set are like, and parameters that fit them."""

import json
from dataclasses import dataclass

import pandas as pd

from convoy.config.data import DataConfig
from convoy.config.tables import TableLayout
from convoy.data.modalities.table import kinds
from convoy.data.modalities.table.facts import frame
from convoy.data.sources._base import Reader, Scan, Task
from convoy.scaffold import choices, survey
from convoy.scaffold.first_run import FirstRun

_LOOKED_AT = 2_000
_NAMED = 6
# Rows to learn from up to which, epochs, rows in a batch, layers, dropout, bins.
_SIZES: tuple[tuple[float, int, int, tuple[int, ...], float, int], ...] = (
    (500, 60, 16, (32,), 0.2, 8),
    (2_000, 60, 64, (64, 32), 0.2, 12),
    (10_000, 30, 128, (128, 64), 0.3, 24),
    (100_000, 20, 512, (256, 128), 0.3, 48),
    (float("inf"), 8, 1024, (256, 128), 0.2, 48),
)
_RATE_AT_512 = 0.002
_ROWS_A_SECOND = 8_000.0
_OTHER_SECONDS = 60.0  # all other stages
_ROBUSTNESS = 2_000


@dataclass(frozen=True)
class TableSurvey:
    """Attributes:
    samples: with a label.
    counts: one row a class, in class order; columns train, val, test, none (no given split), all.
    unlabelled: samples without a usable label.
    given: whether the data name the splits.
    told: columns by what they hold, in words.
    """

    samples: int
    counts: pd.DataFrame
    unlabelled: int
    given: bool
    told: str
    task: Task = "classification"


@dataclass(frozen=True, kw_only=True)
class TableChoices(FirstRun):
    """Attributes:
    hidden: sizes of the hidden layers of `mlp`.
    bins: of the numbers, for scale: piecewise.
    """

    hidden: tuple[int, ...]
    dropout: float
    bins: int


def survey_rows(data: DataConfig, scan: Scan, read: Reader) -> TableSurvey:
    """Count all samples and read up to 2,000, evenly spread."""
    good = survey.usable(scan)
    paths = good["path"].tolist()
    contents = [read(paths[number]) for number in survey.spread(len(paths), _LOOKED_AT)]
    rows = [json.loads(content) for content in contents if isinstance(content, bytes)]
    found = kinds.of(frame(rows), dict(data.columns or {}), data.layout or TableLayout())
    parts = []
    for kind, plural in (
        ("number", "numbers"),
        ("category", "categories"),
        ("boolean", "booleans"),
        ("date", "dates"),
    ):
        names = [name for name, each in found.items() if each == kind]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        parts += [f"{plural} {', '.join(names[:_NAMED])}{more}"] if names else []
    return TableSurvey(
        samples=len(good),
        counts=survey.counted(good, scan.classes),
        unlabelled=len(scan.samples) - len(good),
        given=bool(good["split"].notna().any()),
        told="; ".join(parts),
    )


def choose(seen: TableSurvey) -> TableChoices:
    """Parameters for what was seen."""
    train, test = choices.sides(seen)
    _, epochs, batch, hidden, dropout, bins = next(row for row in _SIZES if train <= row[0])
    metric, base = choices.base(seen)
    return TableChoices(
        hidden=hidden,
        dropout=dropout,
        bins=bins,
        epochs=epochs,
        batch_size=batch,
        lr=round(_RATE_AT_512 * max(0.5, (batch / 512) ** 0.5), 4),
        metric=metric,
        minimum=choices.above(base),
        max_ece=choices.calibration_bound(test),
        robustness_samples=min(_ROBUSTNESS, test),
        minutes=max(1, round((epochs * train / _ROWS_A_SECOND + _OTHER_SECONDS) / 60)),
    )
