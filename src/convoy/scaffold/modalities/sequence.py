"""Sequences: files of the UCR archive, arrays in an .npz file, class folders of CSV or WAV files."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.manifest import SPLITS
from convoy.data.modalities.sequence import signals
from convoy.data.modalities.sequence.signals import BadSequence, Signal
from convoy.data.sources._base import Reader, Scan, Task
from convoy.errors import DataError
from convoy.io import write_text
from convoy.proof import pins
from convoy.scaffold import survey as surveys
from convoy.scaffold.bring import Shipment
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import Found, Options, Place, Sign

ORDER = 10
NOUN = "sequences"
RECIPE = "ucr"
SHEET = "contact_sheet.csv"
WANTED = "a folder of .ts files, an .npz of sequences, or class folders of CSV or WAV files"
COLUMNS: tuple[str, ...] = ()

_ACROSS = 3  # sequences of a class on the sheet
_LOOKED_AT = 200
_STEPS = 40_000  # of the optimiser, about, that a first run takes at most
_FEWEST, _MOST = 30, 300  # epochs


@dataclass(frozen=True)
class SequenceSurvey:
    """What a data set is like; see `convoy.scaffold.survey.Seen`.

    Attributes:
        lengths: of those that were looked at.
        channels: the most that one has.
        gaps: how many of them have missing values.
        rates: distinct ones.
        unreadable: how many could not be read.
    """

    samples: int
    counts: pd.DataFrame
    unlabelled: int
    given: bool
    lengths: Sequence[int]
    channels: int
    gaps: int
    rates: Sequence[float]
    unreadable: int
    task: Task = "classification"


@dataclass(frozen=True)
class SequenceChoices:
    """Parameters for a first run."""

    missing: str
    rate: float | None
    epochs: int
    batch_size: int
    minimum: float
    minutes: int

    @property
    def duration(self) -> str:
        return f"about {self.minutes} minute{'' if self.minutes == 1 else 's'} on 2 cores"


def of_file(path: Path, wishes: Wishes) -> tuple[Path, Options] | None:
    """A .ts file together with those of its other splits; an .npz file."""
    if path.suffix.lower() == ".ts":
        return path.parent, {"source": "sequence_ts"}
    return (path, {"source": "sequence_npz"}) if path.suffix.lower() == ".npz" else None


def _series(place: Place, wishes: Wishes) -> Options | None:
    """.ts files at the top; .tsv files whose names tell the split."""
    told = [name for name in place.tops if name.lower().endswith(("_train.tsv", "_test.tsv"))]
    found = [name for name in place.tops if name.lower().endswith(".ts")]
    return {"source": "sequence_ts"} if found or told else None


def _arrays(place: Place, wishes: Wishes) -> Options | None:
    found = [name for name in place.tops if name.lower().endswith(".npz")]
    return {"source": "sequence_npz"} if len(found) == 1 and place.path.is_dir() else None


def _folders(place: Place, wishes: Wishes) -> Options | None:
    """Class folders with files of one sequence each."""
    inside = [name for name in place.names if "/" in name]
    endings = [posixpath.splitext(name)[1].lower() for name in inside]
    return {"source": "sequence_folder"} if {".csv", ".wav"} & set(endings) else None


# From the most telling to the least.
SIGNS: tuple[Sign, ...] = (_series, _arrays, _folders)


def said(options: Options) -> str:
    """In words."""
    return {
        "sequence_ts": "time series of the UCR archive's form",
        "sequence_npz": "arrays of sequences (.npz)",
        "sequence_folder": "class folders of sequences",
    }[options["source"]]


def selection(found: Found, pointed: Path) -> Shipment | None:
    """Of a .ts file that was pointed at: the files that its source reads, nothing else of its folder."""
    if pointed.is_dir() or found.root.is_file() or found.scan is None:
        return None
    names = {path.partition("#")[0] for path in found.scan.samples["path"]}
    return Shipment({name: found.root / name for name in sorted(names)})


def survey(data: DataConfig, scan: Scan, read: Reader) -> SequenceSurvey:
    samples = surveys.usable(scan)
    chosen = surveys.spread(len(samples), _LOOKED_AT)
    found = [_signal(read, samples["path"].iloc[place]) for place in chosen]
    known = [signal for signal in found if signal is not None]
    shapes = [signal.values.shape for signal in known]
    sides: dict[str, pd.DataFrame] = {side: samples[samples["split"] == side] for side in SPLITS}
    sides |= {"none": samples[samples["split"].isna()], "all": samples}
    counts = pd.DataFrame(
        {side: rows["target"].value_counts() for side, rows in sides.items()}, index=scan.classes
    )
    return SequenceSurvey(
        samples=len(samples),
        counts=counts.fillna(0).astype(int),
        unlabelled=len(scan.samples) - len(samples),
        given=bool(samples["split"].notna().any()),
        lengths=[length for length, _ in shapes],
        channels=int(pd.Series([channels for _, channels in shapes], dtype=int).mode().iloc[0])
        if shapes
        else 0,
        gaps=sum(bool(np.isnan(signal.values).any()) for signal in known),
        rates=sorted({signal.rate for signal in known if signal.rate is not None}),
        unreadable=len(found) - len(known),
    )


def sheet(scan: Scan, read: Reader, path: Path) -> Path:
    """The first channel of some sequences of each class, a line each."""
    samples = surveys.usable(scan)
    lines = []
    for name in scan.classes:
        paths = samples.loc[samples["target"] == name, "path"].tolist()
        for number in surveys.spread(len(paths), _ACROSS):
            signal = _signal(read, paths[number])
            values = [] if signal is None else [f"{value:.5g}" for value in signal.values[:, 0].tolist()]
            lines.append(",".join(['"' + str(name).replace('"', '""') + '"', *values]))
    write_text(path, "\n".join(lines) + "\n")
    return path


def choose(seen: SequenceSurvey) -> SequenceChoices:
    batch_size = 16 if seen.samples < 2000 else 64
    steps = -(-seen.samples // batch_size)
    epochs = int(np.clip(_STEPS // max(1, steps), _FEWEST, _MOST))
    usual = float(np.median(seen.lengths)) if seen.lengths else 1.0
    seconds = epochs * steps * (0.02 + batch_size * usual * 8e-6)
    return SequenceChoices(
        missing="interpolate" if seen.gaps else "refuse",
        rate=seen.rates[0] if len(seen.rates) > 1 else None,
        epochs=epochs,
        batch_size=batch_size,
        minimum=round(float(seen.counts["all"].max() / max(1, seen.samples)), 2),
        minutes=max(1, round(seconds / 60)),
    )


def fit(tree: Any, choices: SequenceChoices) -> None:
    """Put choices into the tree of params.yaml."""
    tree["prepare"]["missing"] = choices.missing
    if choices.rate is not None:
        tree["prepare"]["rate"] = choices.rate
    tree["train"].update(epochs=choices.epochs, batch_size=choices.batch_size)
    tree["evaluate"]["baseline"] = "nearest_euclidean"
    gate = tree["register"]["gate"]
    gate["minimum"] = choices.minimum
    gate.yaml_add_eol_comment("always naming the largest class; raise it to what you need", "minimum", 29)


def told(choices: SequenceChoices) -> str:
    return f"{choices.epochs} epochs, {choices.duration}"


def doubts(data: DataConfig, seen: SequenceSurvey) -> list[str]:
    found = []
    if seen.gaps:
        found.append(f"{seen.gaps:,} of {len(seen.lengths):,} looked at have missing values: interpolated")
    if len(seen.rates) > 1:
        listed = ", ".join(f"{rate:,g}" for rate in seen.rates)
        found.append(f"several sampling rates ({listed} Hz): all are resampled to the lowest")
    if seen.unreadable:
        found.append(f"{seen.unreadable:,} of those looked at cannot be read; `validate` names them")
    if seen.unlabelled:
        found.append(f"{seen.unlabelled:,} samples have no usable label; `validate` names them")
    few = [str(name) for name, count in seen.counts["all"].items() if count < 3]
    if few:
        found.append(f"fewer than 3 sequences, which `validate` refuses: {pins.told(few)}")
    return found


def _signal(read: Reader, path: str) -> Signal | None:
    try:
        return signals.decode(read(path))
    except (DataError, BadSequence):
        return None
