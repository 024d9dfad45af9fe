"""The report's sections that derive from tables: what the template needs, or None where there is nothing."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from convoy.evaluation.charts import SMALL, Line, chart, padded
from convoy.evaluation.findings import Findings
from convoy.evaluation.intervals import wilson

Panel = dict[str, Any] | None

MOST_CLASSES = 30
MOST_SLICES = 30
_PARTIAL_MATRIX = 20
_DENSE = 16
_AVERAGE = " average"
_METHODS = {"hog_linear": "HOG features and a linear classifier", "majority": "always the commonest class"}
_DAMAGE = {"jpeg": "JPEG compression"}


def matrix(findings: Findings, classes: Sequence[str]) -> Panel:
    """Cells carry kind (hit, miss), strength in percent of the full colour, a sentence."""
    if not len(findings.test):
        return None
    found = findings.matrix(len(classes) if len(classes) <= MOST_CLASSES else _PARTIAL_MATRIX)
    names = [classes[number] for number in found.classes]
    rows = []
    for number, name in enumerate(names):
        support = int(found.support[number])
        cells = [
            _cell(int(count), support, name, other, hit=number == column)
            for column, (count, other) in enumerate(zip(found.counts[number], names, strict=True))
        ]
        if found.partial:
            cells.append(_cell(int(found.elsewhere[number]), support, name, "another class", hit=False))
        rows.append({"name": name, "cells": cells})
    dense, widest = len(names) > _DENSE, max(map(_breadth, names))
    return {
        "columns": names,
        "rows": rows,
        "partial": found.partial,
        "upright": widest > (2 if dense else 4),
        "header": min(9.0, 0.5 + 0.55 * widest),
        "dense": dense,
    }


def _breadth(text: str) -> int:
    """In columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cell(count: int, support: int, target: str, prediction: str, *, hit: bool) -> dict[str, Any]:
    """A mistake is visible however rare: its colour grows with the root of its share."""
    share = count / max(support, 1)
    strength = 12 + 43 * share if hit else 22 + 78 * min(1.0, share) ** 0.5
    said = f"{target} found" if hit else f"{target} taken for {prediction}"
    return {
        "count": count,
        "kind": "hit" if hit else "miss full" if strength > 60 else "miss",
        "strength": round(strength),
        "title": f"{said}: {count} of {support}",
    }


def classes(
    table: pd.DataFrame | None, findings: Findings, names: Sequence[str], thresholds: Mapping[str, Any]
) -> Panel:
    """The weakest classes by F1, with what each is most often taken for; none without samples."""
    if table is None or table.empty:
        return None
    averages = ~table["class"].isin(list(names)) & table["class"].str.endswith(_AVERAGE)
    present = table[~averages & (table["support"] > 0)].sort_values(["f1", "recall"], kind="stable")
    if present.empty:
        return None
    taken = findings.taken_for()
    position = {name: number for number, name in enumerate(names)}
    rows = []
    for row in present.head(MOST_CLASSES).to_dict("records"):
        prediction, times = taken.get(position[row["class"]], (None, 0))
        rows.append(
            {
                **{key: row[key] for key in ("precision", "recall", "f1", "support")},
                "name": row["class"],
                "taken_for": None if prediction is None else names[prediction],
                "times": times,
                "threshold": thresholds.get(row["class"], {}).get("threshold"),
            }
        )
    return {
        "rows": rows,
        "averages": [{**row, "name": row["class"]} for row in table[averages].to_dict("records")],
        "left_out": len(present) - len(rows),
        "thresholds": any(row["threshold"] is not None for row in rows),
    }


def slices(table: pd.DataFrame | None, overall: float | None) -> Panel:
    """Each row's place on an axis from the lowest end of an interval to 1, in percent."""
    if table is None or table.empty or overall is None:
        return None
    shown = table.sort_values("accuracy", kind="stable").head(MOST_SLICES)
    low = min(float(shown["low"].min()), overall)
    low = max(0.0, low - 0.05 * (1 - low)) if low < 1 else 0.0

    def place(value: float) -> float:
        return round(100 * (value - low) / (1 - low), 2)

    rows = [
        {
            "name": row["slice"],
            "samples": row["samples"],
            "accuracy": row["accuracy"],
            "difference": row["difference"],
            "left": place(row["low"]),
            "width": round(place(row["high"]) - place(row["low"]), 2),
            "at": place(row["accuracy"]),
            "overall": place(overall),
            "below": row["high"] < overall,
        }
        for row in shown.to_dict("records")
    ]
    return {"rows": rows, "low": low, "left_out": len(table) - len(rows)}


def calibration(
    fitted: Mapping[str, Any] | None, reliability: pd.DataFrame | None, confidence: float
) -> Panel:
    """Reliability diagrams of the test split and the numbers, before and after where one was fitted."""
    scaled = fitted is not None and fitted.get("method") == "temperature"
    stages = {"before": "Before scaling", "after": "After scaling"} if scaled else {"after": "Test"}
    charts = []
    if reliability is not None and not reliability.empty:
        test = reliability[(reliability["split"] == "test") & (reliability["count"] > 0)]
        charts = [
            {"name": name, "chart": _reliability(test[test["stage"] == stage], name, confidence)}
            for stage, name in stages.items()
            if (test["stage"] == stage).any()
        ]
    rows = []
    if scaled and fitted is not None:
        keys = ("ece_before", "ece_after", "log_loss_before", "log_loss_after")
        rows = [
            {"name": title, "cells": [fitted[split].get(key) for key in keys]}
            for split, title in (("val", "validation"), ("test", "test"))
            if split in fitted
        ]
    if not charts and not rows:
        return None
    temperature = float(fitted["temperature"]) if scaled and fitted is not None else None
    return {
        "charts": charts,
        "rows": rows,
        "columns": ["ECE before", "ECE after", "log-loss before", "log-loss after"],
        "temperature": temperature,
        "meaning": "" if temperature is None else _meaning(temperature),
    }


def _meaning(temperature: float) -> str:
    if abs(temperature - 1) < 0.01:
        return "its confidence was about right as it was"
    return "it was too sure" if temperature > 1 else "it was not sure enough"


def _reliability(table: pd.DataFrame, name: str, confidence: float) -> Markup:
    bins = table.sort_values("bin")
    places = list(zip(bins["confidence"].astype(float), bins["accuracy"].astype(float), strict=True))
    count = bins["count"].to_numpy(np.int64)
    right = (bins["accuracy"].to_numpy(np.float64) * count).round().astype(np.int64)
    low, high = wilson(right, count, confidence)
    return chart(
        [
            Line([(0.0, 0.0), (1.0, 1.0)], dashed=True),
            Line(
                places,
                bars=list(zip(low.tolist(), high.tolist(), strict=True)),
                sizes=(2 + 4.5 * np.sqrt(count / count.max())).tolist(),
                joined=False,
            ),
        ],
        x=(0.0, 1.0),
        y=(0.0, 1.0),
        x_label="how sure it is",
        title=f"{name}: how often it is right by how sure it is",
        percent=True,
        x_percent=True,
    )


def robustness(table: pd.DataFrame | None, reference: float | None) -> Panel:
    """A chart for each kind of damage, the most harmful first; `reference` is the undamaged accuracy."""
    if table is None or table.empty:
        return None
    everything = [*table["low"], *table["high"], *([] if reference is None else [reference])]
    ends = padded([float(value) for value in everything], floor=0.0, ceiling=1.0)
    order = table.groupby("corruption")["accuracy"].min().sort_values(kind="stable")
    strongest = int(table["strength"].max())
    charts = []
    for corruption in order.index:
        rows = table[table["corruption"] == corruption].sort_values("strength")
        measured = Line(
            [(float(x), float(y)) for x, y in zip(rows["strength"], rows["accuracy"], strict=True)],
            band=[(float(low), float(high)) for low, high in zip(rows["low"], rows["high"], strict=True)],
        )
        lines = [measured]
        if reference is not None:
            lines.insert(0, Line([(0.7, reference), (strongest + 0.3, reference)], dashed=True))
        name = _damage(str(corruption))
        drawn = chart(
            lines,
            x=(0.7, strongest + 0.3),
            y=ends,
            x_label="strength",
            title=f"accuracy by strength of {name}",
            percent=True,
            x_ticks=list(range(1, strongest + 1)),
            size=SMALL,
        )
        setting = str(rows["setting"].iloc[-1]) if "setting" in rows else ""
        charts.append({"name": name, "chart": drawn, "strongest": strongest, "setting": setting})
    worst = table.sort_values("accuracy", kind="stable").iloc[0]
    return {
        "charts": charts,
        "worst": {
            "name": _damage(str(worst["corruption"])),
            "strength": int(worst["strength"]),
            "accuracy": float(worst["accuracy"]),
        },
    }


def _damage(name: str) -> str:
    return _DAMAGE.get(name, name.replace("_", " "))


def learning(history: pd.DataFrame | None, best_epoch: int | None) -> Panel:
    """Loss and accuracy by epoch; columns that are not there, and gaps, are left out."""
    if history is None or history.empty:
        return None
    charts = []
    for title, columns, percent in (
        ("Loss", {"train_loss": (2, "training"), "val_loss": (0, "validation")}, False),
        ("Accuracy", {"val_accuracy": (0, "validation")}, True),
        ("Mean absolute error", {"val_mae": (0, "validation")}, False),
    ):
        lines = {
            label: Line(_points(history, column), tone)
            for column, (tone, label) in columns.items()
            if column in history and history[column].notna().any()
        }
        if not lines:
            continue
        values = [y for line in lines.values() for _, y in line.points]
        epochs = history["epoch"].astype(float)
        first, last = float(epochs.min()), float(epochs.max())
        drawn = chart(
            list(lines.values()),
            x=(first, last) if last > first else (first - 0.5, last + 0.5),
            y=padded(values, floor=0.0, ceiling=1.0 if percent else None),
            x_label="epoch",
            title=f"{title.lower()} by epoch",
            percent=percent,
            x_ticks=_epochs(int(first), int(last)),
        )
        legend = [(line.tone, label) for label, line in lines.items()]
        charts.append({"name": title, "chart": drawn, "legend": legend})
    return {"charts": charts, "best": None if best_epoch is None else best_epoch + 1} if charts else None


def _points(history: pd.DataFrame, column: str) -> list[tuple[float, float]]:
    known = history[["epoch", column]].dropna()
    return list(zip(known["epoch"].astype(float), known[column].astype(float), strict=True))


def _epochs(first: int, last: int) -> list[float]:
    """The first, then round ones, at most about eight."""
    step = next(
        n * 10**power for power in range(9) for n in (1, 2, 5) if (last - first) / (n * 10**power) < 8
    )
    round_ones = [float(epoch) for epoch in range(0, last + 1, step) if epoch - first >= 0.6 * step]
    return [float(first), *round_ones]


def baseline(metrics: Mapping[str, Any]) -> Panel:
    """Majority class, the simple model where one was trained, and the network."""
    found = metrics.get("baseline")
    accuracy = metrics["test"].get("accuracy")
    if not found or accuracy is None:
        return None
    simple = found.get("accuracy")
    name = _METHODS.get(found.get("name", ""), str(found.get("name", "")).replace("_", " "))
    rows = [{"name": "this model", "accuracy": accuracy, "quiet": False}]
    if simple is not None:
        rows.append({"name": name, "accuracy": simple, "quiet": True})
    if found.get("name") != "majority" and "majority_accuracy" in found:
        rows.append({"name": _METHODS["majority"], "accuracy": found["majority_accuracy"], "quiet": True})
    return {
        "rows": rows,
        "name": name,
        "accuracy": simple,
        "difference": found.get("difference") if simple is not None else None,
        "interval": found.get("interval"),
    }
