"""report.html of objectives without classes: tiles, sections of samples, charts and tables, all metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from convoy.evaluation import panels
from convoy.evaluation.gallery import Sample, entries
from convoy.evaluation.objectives._base import Subject
from convoy.evaluation.page import page

MOST_ROWS = 30


@dataclass(frozen=True)
class Tile:
    """A figure at the head of the page: its name, the figure, and what is to be known of it."""

    name: str
    value: str
    said: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page; what is empty is left out, and so is a section of nothing.

    Attributes:
        anchor: its name in links.
        said: a sentence or two.
        samples: with captions.
        charts: {"name", "chart" (SVG), "legend": [(tone, label)]}.
        table: of which the first rows are shown.
    """

    anchor: str
    title: str
    said: str
    samples: Sequence[Sample] = ()
    charts: Sequence[Mapping[str, Any]] = ()
    table: pd.DataFrame | None = None

    @property
    def empty(self) -> bool:
        return not self.samples and not self.charts and (self.table is None or self.table.empty)


def render(
    subject: Subject,
    metrics: Mapping[str, Any],
    names: Mapping[str, str],
    *,
    tiles: Sequence[Tile],
    findings: Sequence[str],
    sections: Sequence[Section],
    confidence: float,
) -> str:
    """The page, HTML; the same inputs give the same bytes.

    Args:
        names: of metrics, in the order in which they are shown.
        findings: sentences below the tiles.
    """
    intervals, val = metrics.get("intervals", {}), metrics.get("val", {})
    rows = [
        {
            "name": said,
            "test": float(metrics["test"][name]),
            "interval": intervals.get(name),
            "val": val.get(name),
        }
        for name, said in names.items()
        if name in metrics["test"]
    ]
    learning = panels.learning(subject.history, subject.training.get("best_epoch"))
    shown = [_shown(section) for section in sections if not section.empty]
    if learning is not None:
        kept = f" The weights of epoch {learning['best']} were kept." if learning["best"] else ""
        shown.append(_shown(Section("learning", "Learning", f"By epoch.{kept}", charts=learning["charts"])))
    return page(
        "measured.html",
        title=str(subject.training["model"]["name"]),
        tiles=tiles,
        findings=findings,
        sections=shown,
        metrics=rows,
        things=subject.view.NOUNS,
        confidence=f"{100 * confidence:g} %",
        facts=list(subject.facts.items()),
    )


def _shown(section: Section) -> dict[str, Any]:
    table = section.table
    return {
        "anchor": section.anchor,
        "title": section.title,
        "said": section.said,
        "samples": entries(section.samples),
        "charts": section.charts,
        "columns": [] if table is None else list(map(str, table.columns)),
        "rows": []
        if table is None
        else [[_cell(value) for value in row] for row in table.head(MOST_ROWS).itertuples(index=False)],
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,}" if isinstance(value, int) else str(value)
