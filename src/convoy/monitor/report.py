"""report.html of `convoy monitor`: one self-contained page, what drifted first."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from convoy.config.monitor import MonitorConfig
from convoy.evaluation.charts import SMALL, Line, chart, padded
from convoy.evaluation.page import page
from convoy.monitor.subject import Subject
from convoy.monitor.verdict import CLASSES, Verdict, shown

_TEMPLATES = Path(__file__).with_name("templates")
_BINS = 20
_MOST_CLASSES = 50
_TITLES = {
    "ok": "No drift",
    "drifted": "The model drifts",
    "too few": "Too few predictions to judge",
}


def render(verdict: Verdict, watched: Subject, rows: pd.DataFrame, config: MonitorConfig) -> str:
    """The page.

    Args:
        rows: the kept predictions that were judged.
    """
    order = sorted(verdict.measures, key=lambda measure: (not measure.drifted, -measure.psi))
    return page(
        "monitor.html",
        folder=_TEMPLATES,
        title=_TITLES[verdict.status],
        verdict=verdict,
        measures=order,
        shown=shown,
        largest=max([config.min_psi, *(measure.psi for measure in order)]),
        charts=[
            (measure, _chart(watched.reference[measure.name], rows[measure.name], measure.name))
            for measure in order
            if measure.name != CLASSES
        ],
        classes=_classes(watched, rows) if verdict.measures else [],
        more_classes=max(0, len(watched.classes) - _MOST_CLASSES),
        config=config,
        since=_moment(verdict.since),
        until=_moment(verdict.until),
    )


def _chart(reference: "pd.Series[Any]", batch: "pd.Series[Any]", name: str) -> Markup:
    """Shares of both in the same bins."""
    first, second = reference.dropna().to_numpy(np.float64), batch.dropna().to_numpy(np.float64)
    both = np.concatenate([first, second])
    low, high = np.quantile(both, [0.005, 0.995])
    if low == high:
        low, high = padded([float(low)])
    edges = np.linspace(low, high, _BINS + 1)
    shares = [_shares(values, edges) for values in (first, second)]
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    lines = [
        Line(list(zip(middles, values.tolist(), strict=True)), tone=tone, sizes=[0.0] * _BINS)
        for values, tone in zip(shares, (2, 0), strict=True)
    ]
    top = float(max(values.max() for values in shares))
    return chart(
        lines, x=(float(low), float(high)), y=(0.0, 1.06 * top), x_label=name,
        title=f"{name} in the test and now", percent=True, size=SMALL,
    )  # fmt: skip


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    found: NDArray[np.float64] = counts / max(1, len(values))
    return found


def _classes(watched: Subject, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """How often each class is said, in the test and now; the largest changes first."""
    shares = [
        frame["prediction"].value_counts(normalize=True).reindex(watched.classes, fill_value=0.0)
        for frame in (watched.reference, rows)
    ]
    found = [
        {"name": name, "before": float(shares[0][name]), "now": float(shares[1][name])}
        for name in watched.classes
    ]
    found.sort(key=lambda row: -abs(float(row["now"]) - float(row["before"])))  # type: ignore[arg-type]
    return found[:_MOST_CLASSES]


def _moment(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(microseconds / 1e6))
