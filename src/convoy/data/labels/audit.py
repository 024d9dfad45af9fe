"""The label audit of a sample table: which labels a model that has not seen them doubts."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as cached
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convoy.data.labels import folds
from convoy.io import atomic_path

Codes = NDArray[np.int64]
Thumbnails = Callable[[pd.Index], NDArray[np.uint8]]

LEAST = 5  # samples that are no copies of each other, without which a class is not judged
_MOST_SAMPLES = 100_000
_MOST_CELLS = 20_000_000  # samples times classes
_SEED = 0
_LIBRARIES = ("cleanlab", "numpy", "opencv-python-headless", "scikit-learn", "scipy")
_COLUMNS = ("given", "suggested", "confidence", "doubted")


@dataclass(frozen=True)
class Audit:
    """What the model says.

    Attributes:
        table: one row a judged sample, by the index of the sample table; in order, the most doubtful first:
            given (probability of its label), suggested (the most probable class), confidence (its
            probability), doubted (the label is probably wrong).
        agreement: share of the judged labels that the model names itself; NaN where none was judged.
        notes: sentences on what was not judged.
    """

    table: pd.DataFrame
    agreement: float
    notes: list[str]


def audit(
    samples: pd.DataFrame,
    classes: list[str],
    thumbnails: Thumbnails,
    twins: tuple[Codes, Codes] | None = None,
    cache: Path | None = None,
    looks: str = "",
) -> Audit:
    """Judge every label by a model that has learned from the others.

    Args:
        samples: columns id, path, target and perhaps group; labels not in `classes` are passed over.
        classes: all class names.
        thumbnails: gives (n, H, W, 3) uint8 for rows of the table's index.
        twins: pairs of positions in `samples` that show nearly the same picture; they stand in one fold, as
            do samples of one content, and those of one group where each class has enough groups.
        cache: a folder that may keep the results, by ids, labels and folds.
        looks: names the way in which thumbnails are made; part of the cache's key.
    """
    known_classes, given = (pd.Index(names, dtype=object) for names in (classes, samples["target"]))
    codes = known_classes.get_indexer(given).astype(np.int64)
    unit = _units(samples, codes, len(classes), twins)
    known = np.flatnonzero(codes >= 0)
    enough = folds.per_class(unit[known], codes[known], len(classes)) >= LEAST
    notes = _left_out(classes, enough)
    positions = known[enough[codes[known]]]
    judged_classes = np.flatnonzero(enough)
    if len(judged_classes) < 2:
        return Audit(_empty(), float("nan"), [*notes, "no label was judged: that takes two classes"])
    most = min(_MOST_SAMPLES, _MOST_CELLS // len(judged_classes))
    if len(positions) > most:
        notes.append(f"{most:,} of {len(positions):,} samples were judged, drawn evenly from all classes")
        positions = _drawn(positions, codes, most)
    narrow = np.searchsorted(judged_classes, codes[positions])
    names = [classes[code] for code in judged_classes]
    file = None if cache is None else cache / f"{_key(samples, positions, unit, [looks, *names])}.parquet"
    found = None if file is None else _read(file, len(positions))
    if found is None:
        found = _judged(thumbnails(samples.index[positions]), narrow, unit[positions], len(names))
        if file is not None:
            _write(file, found)
    agreement = float((found["suggested"].to_numpy() == narrow).mean())
    found["suggested"] = np.array(names, object)[found["suggested"]]
    found.index = samples.index[positions]
    ids, paths = samples["id"].to_numpy()[positions], samples["path"].to_numpy()[positions]
    order = np.lexsort((paths.astype(str), ids.astype(str), -found["confidence"], found["given"]))
    return Audit(found.iloc[order], agreement, notes)


def _units(samples: pd.DataFrame, codes: Codes, classes: int, twins: tuple[Codes, Codes] | None) -> Codes:
    links = [folds.equal(samples["id"].tolist())]
    if twins is not None:
        links.append(twins)
    alone = folds.units(len(samples), links)
    if "group" not in samples.columns or samples["group"].isna().all():
        return alone
    together = folds.units(len(samples), [*links, folds.equal(samples["group"].tolist())])
    known = np.flatnonzero(codes >= 0)
    of_alone, of_together = (folds.per_class(u[known], codes[known], classes) for u in (alone, together))
    return together if (of_together[of_alone >= LEAST] >= LEAST).all() else alone


def _left_out(classes: list[str], enough: NDArray[np.bool_]) -> list[str]:
    names = [repr(name) for name, judged in zip(classes, enough, strict=True) if not judged]
    if not names:
        return []
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    plural = "es" if len(names) > 1 else ""
    return [f"labels of the class{plural} {shown} were not judged: fewer than {LEAST} different samples"]


def _drawn(positions: Codes, codes: Codes, most: int) -> Codes:
    """At most `most` positions; a class gives its share, never less than LEAST."""
    random = np.random.default_rng(_SEED)
    shuffled = random.permutation(positions)
    shuffled = shuffled[np.argsort(codes[shuffled], kind="stable")]
    _, starts, counts = np.unique(codes[shuffled], return_index=True, return_counts=True)
    place = np.arange(len(shuffled)) - np.repeat(starts, counts)
    share = np.repeat(np.maximum(counts * most // len(positions), LEAST), counts)
    return np.sort(shuffled[place < share])


def _judged(thumbs: NDArray[np.uint8], codes: Codes, unit: Codes, classes: int) -> pd.DataFrame:
    from threadpoolctl import threadpool_limits

    from convoy.data.labels import crossval, embed, ranking

    fold = folds.assign(unit, codes, _SEED)
    # How BLAS shares sums among its threads shows in their last bits; the folds run side by side instead.
    with threadpool_limits(limits=1):
        features = embed.features(thumbs, _SEED)
        probabilities = crossval.probabilities(features, codes, fold, classes, _SEED)
    suggested = probabilities.argmax(axis=1)
    return pd.DataFrame(
        {
            "given": ranking.quality(codes, probabilities),
            "suggested": suggested,
            "confidence": probabilities[np.arange(len(codes)), suggested],
            "doubted": ranking.doubted(codes, probabilities),
        }
    )


def _empty() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "given": np.empty(0),
            "suggested": np.empty(0, object),
            "confidence": np.empty(0),
            "doubted": np.empty(0, bool),
        }
    )


def _key(samples: pd.DataFrame, positions: Codes, unit: Codes, settings: list[str]) -> str:
    digest = hashlib.sha256(json.dumps([_method(), settings], ensure_ascii=True).encode())
    _, compact = np.unique(unit[positions], return_inverse=True)
    for column in ("id", "target"):
        digest.update(json.dumps(samples[column].iloc[positions].tolist()).encode())
    digest.update(compact.astype(np.int64).tobytes())
    return digest.hexdigest()[:32]


@cached
def _method() -> list[str]:
    """What the probabilities depend on besides the samples: the code that finds them, and its libraries."""
    from convoy.data import hog
    from convoy.data.labels import crossval, embed, ranking

    sources = [Path(str(module.__file__)).read_bytes() for module in (crossval, embed, folds, hog, ranking)]
    versions = [metadata.version(name) for name in _LIBRARIES]
    return [*versions, *(hashlib.sha256(source).hexdigest() for source in sources)]


def _read(path: Path, length: int) -> pd.DataFrame | None:
    """What was found before; None where there is nothing, or it is damaged."""
    try:
        found: pd.DataFrame = pq.ParquetFile(path).read(columns=list(_COLUMNS)).to_pandas()
    except (OSError, pa.ArrowException, LookupError, ValueError):
        return None
    return found if len(found) == length and list(found.columns) == list(_COLUMNS) else None


def _write(path: Path, found: pd.DataFrame) -> None:
    """A disk that is full is no error: the labels are judged again next time."""
    try:
        with atomic_path(path) as temporary:
            pq.write_table(pa.Table.from_pandas(found, preserve_index=False), temporary, compression="zstd")
    except OSError:
        return
