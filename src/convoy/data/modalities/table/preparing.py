"""Tables: values to cells in a store; what the features need, fitted on the training split."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.config.tables import TableLayout, TablePrepareConfig
from convoy.data import manifest, opening, ragged, store
from convoy.data.modalities.table import batching, fitting, kinds
from convoy.data.modalities.table.cells import UNKNOWN, Cells, Rows
from convoy.data.modalities.table.facts import frame
from convoy.errors import DataError

_FIX = "the data changed since they were ingested: run the pipeline again"


def prepare(
    samples: pd.DataFrame,
    classes: list[str],
    data: DataConfig,
    config: TablePrepareConfig,
    *,
    max_pixels: int,
    out: Path,
    cache: Path | None = None,
    processes: int | None = None,
) -> tuple[dict[str, Any], str]:
    """Write the stores train/, val/ and test/ into `out`: cells, and the rows themselves for reports.

    Returns:
        What preprocessor.json holds (the spec, see `fitting`), and a line for the log.

    Raises:
        DataError: a row changed since it was ingested, a value is none that its column can hold, or a
            category was not seen in training and prepare.categories.unseen is error.
        OSError: the disk is full.
    """
    contents = _contents(samples, data)
    values = frame([json.loads(content) for content in contents])
    training = (samples["split"] == "train").to_numpy()
    reading = _reading(values[training], data, config)
    everything = _cells(values, samples, reading, data)
    codes = samples["target"].map({name: number for number, name in enumerate(classes)})
    target = codes.fillna(-1).to_numpy().astype(np.int64)
    spec, stays = fitting.fit(everything[training], target[training], reading, config)
    kept = np.ones(len(samples), bool)
    kept[np.flatnonzero(training)[~stays]] = False
    for side in manifest.SPLITS:
        mine = np.flatnonzero((samples["split"] == side).to_numpy() & kept)
        (out / side).mkdir(parents=True)
        rows = ragged.of([np.frombuffer(contents[row], np.uint8) for row in mine], "|u1")
        store.finish(
            out / side,
            [],
            None,
            {"target": target[mine].astype("<i8"), "id": samples["id"].iloc[mine].to_numpy(dtype="S32")},
            {**batching.fields(everything[mine], len(spec["numbers"])), batching.ROW: rows},
        )
    return {"spec": spec}, _said(spec, everything[~training], int((~stays).sum()))


def stand_in(config: TablePrepareConfig, classes: Sequence[str]) -> dict[str, Any]:
    """A preprocessor as if it had been fitted, for what is tried before there are data."""
    random = np.random.default_rng(0)
    rows = 64
    table = pd.DataFrame(
        {
            "number": [f"{value:.3f}" for value in random.normal(size=rows)],
            "other": [f"{value:.3f}" for value in random.normal(size=rows)],
            "category": [str(value) for value in random.choice(["a", "b", "c"], rows)],
        },
        dtype=object,
    )
    section = config.model_copy(update={"categories": config.categories.model_copy(update={"min_count": 1})})
    reading = _reading(table, None, section)
    cells = _encoded(table, reading)
    spec, _ = fitting.fit(cells, random.integers(0, 2, rows), reading, section)
    return {"modality": "table", "spec": spec, "classes": list(classes)}


def _reading(training: pd.DataFrame, data: DataConfig | None, config: TablePrepareConfig) -> dict[str, Any]:
    """Columns as the training rows have them, and how their values are read."""
    layout = (data.layout if data is not None else None) or TableLayout()
    declared = dict(data.columns or {}) if data is not None else {}
    found = kinds.of(training, {name: kind for name, kind in declared.items() if kind != "ignore"}, layout)
    columns: list[dict[str, Any]] = []
    for name, kind in found.items():
        column: dict[str, Any] = {"name": name, "kind": kind}
        if kind == "category":
            counts = Counter(training[name].dropna())
            often = {value for value, count in counts.items() if count >= config.categories.min_count}
            column |= {"categories": sorted(often), "rare": sorted(counts.keys() - often)}
        columns.append(column)
    return {
        "columns": columns,
        "missing": list(layout.missing),
        "decimal": layout.decimal,
        "earliest": layout.earliest,
        "latest": layout.latest,
        "dates": list(config.dates),
        "unseen": config.categories.unseen,
    }


def _cells(
    values: pd.DataFrame, samples: pd.DataFrame, reading: Mapping[str, Any], data: DataConfig
) -> Cells:
    """(N, numbers + categories); a bad value is named with its row."""
    try:
        return _encoded(values, reading)
    except _BadColumn as bad:
        row = int(np.flatnonzero((values[bad.column] == bad.value).to_numpy())[0])
        origin = samples["origin"].iloc[row] if "origin" in samples else samples["path"].iloc[row]
        raise DataError(
            f"column {bad.column!r}: {bad}",
            where=f"{data.path}: {origin}",
            fix=f"mend the value, or say in data.columns what {bad.column!r} holds"
            + ("; prepare.categories.unseen: unknown takes it" if bad.kind == "category" else ""),
        ) from None


class _BadColumn(ValueError):
    def __init__(self, column: str, kind: str, value: str, said: str) -> None:
        super().__init__(said)
        self.column, self.kind, self.value = column, kind, value


def _encoded(values: pd.DataFrame, reading: Mapping[str, Any]) -> Cells:
    """By column, each different value once."""
    rows = Rows(reading)
    numbers: list[NDArray[np.float64]] = []
    codes: list[NDArray[np.float64]] = []
    for column in reading["columns"]:
        places, different = pd.factorize(values[column["name"]], use_na_sentinel=False)
        cells = []
        for value in different:
            try:
                cells.append(rows.cell(column, value))
            except ValueError as error:
                raise _BadColumn(column["name"], column["kind"], value, str(error)) from None
        matrix = np.array(cells, np.float64).reshape(len(different), -1)[places]
        (codes if column["kind"] == "category" else numbers).append(matrix)
    return np.concatenate([*numbers, *codes, np.zeros((len(values), 0))], axis=1)


def _contents(samples: pd.DataFrame, data: DataConfig) -> list[bytes]:
    read = opening.reader(data)
    found = []
    for path, sample in zip(samples["path"], samples["id"], strict=True):
        content = read(path)
        if manifest.content_id(content) != sample:
            raise DataError(f"{path} is not what it was", where=data.path, fix=_FIX)
        assert isinstance(content, bytes)
        found.append(content)
    return found


def _said(spec: Mapping[str, Any], others: Cells, dropped: int) -> str:
    counts = Counter(column["kind"] for column in spec["columns"])
    plural = {"category": "categories", "number": "numbers", "boolean": "booleans", "date": "dates"}
    columns = ", ".join(f"{count} {plural[kind]}" for kind, count in sorted(counts.items()))
    unknown = (
        (others[:, len(spec["numbers"]) :] == UNKNOWN).mean() if spec["categories"] and len(others) else 0.0
    )
    left = f"; {dropped:,} training rows with outliers are left out" if dropped else ""
    return (
        f"columns of {columns}; {len(spec['kept'])} features, {len(spec['embedded'])} of them embedded; of "
        f"the categories of val and test {unknown:.2%} are not known{left}"
    )
