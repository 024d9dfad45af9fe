"""report.html of `validate`: one self-contained page of what was found in the data, samples first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from convoy.evaluation.page import page
from convoy.evaluation.pictures import Inset

_EXAMPLES = 24  # samples of a check
_SENTENCES = 20  # findings of a check that are about no single sample
_CLASSES, _STRIP = 12, 8  # classes whose samples are shown, and how many of each
_MOST_CLASSES = 200  # rows of the class table
_TITLES = {
    "unreadable": ("Unreadable", "Files that are missing, empty, truncated or damaged."),
    "oversized": (
        "Oversized",
        "They claim more pixels, or need more time or memory, than section validate allows.",
    ),
    "labels": ("Labels", "Missing, unknown or not finite."),
    "blank": ("Blank", "Pictures of a single colour."),
    "size": ("Size", "Far smaller, larger or longer than the others."),
    "mode": ("Colour mode", "Another mode than nearly all others."),
    "conflicts": ("Conflicts", "The same picture under two labels. Beside each: the other one."),
    "leakage": ("Leakage", "The same picture in two of the given splits. Beside each: the one that stays."),
    "duplicates": ("Duplicates", "The same content again. Beside each: the one that stays."),
    "near_duplicates": (
        "Near duplicates",
        "Nearly the same picture again; a split keeps them together. Beside each: the first of them.",
    ),
    "groups": ("Groups", "One group in two of the given splits."),
    "imbalance": ("Imbalance", "Classes far smaller than the largest."),
    "label_issues": (
        "Doubtful labels",
        "A model trained on the other samples doubts them; the most doubtful first.",
    ),
    "classes": ("Classes that cannot be learned", ""),
}
_DOES = {
    "error": ("stops the run", "stop the run"),
    "quarantine": ("left out",) * 2,
    "warn": ("warning", "warnings"),
}


class Look(Protocol):
    """How a modality shows its samples; rows are those of the table of `ingest`.

    Attributes:
        TITLES: check -> title and what it means, where it differs from the usual.
        FORM: what the small figures look like, in words.
    """

    TITLES: Mapping[str, tuple[str, str]]
    FORM: str

    def small(self, rows: "pd.Index[Any]") -> Sequence[Inset]:
        """Figures of samples that can be used, for many."""

    def large(self, rows: "pd.Index[Any]") -> Sequence[Inset | None]:
        """Figures of samples that can be used, for few; None where one is not to be had."""

    def facts(self, kept: pd.DataFrame) -> list[tuple[str, str]]:
        """Label and value, of the samples that stay (with their facts)."""

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        """Write labels.html and fixes.csv."""


@dataclass(frozen=True)
class Inputs:
    """What the page is made of.

    Attributes:
        source: kind of the source.
        samples: all, with their facts; by row.
        kept: rows that stay.
        findings: row (-1: of the whole), check, policy, reason, detail, other.
        classes: names, in class order.
        problems: why the data do not pass; empty when they do.
        notes: sentences of the source.
        look: shows them.
        things: what samples are called.
    """

    source: str
    samples: pd.DataFrame
    kept: "pd.Index[Any]"
    findings: pd.DataFrame
    classes: Sequence[str]
    problems: Sequence[str]
    notes: Sequence[str]
    look: Look
    things: str


def render(inputs: Inputs) -> str:
    """The page, HTML; the same inputs give the same bytes."""
    findings = inputs.findings
    left_out = int((findings["policy"] == "quarantine").sum())
    checks = [_check(name, rows, inputs) for name, rows in findings.groupby("check", sort=False)]
    return page(
        "data.html",
        title="Data report",
        source=inputs.source,
        samples=len(inputs.samples),
        kept=len(inputs.kept),
        left_out=left_out,
        findings=len(findings),
        class_count=len(inputs.classes),
        problems=list(inputs.problems),
        checks=checks,
        classes=_classes(inputs),
        more_classes=max(0, len(inputs.classes) - _MOST_CLASSES),
        strips=_strips(inputs),
        facts=[] if inputs.kept.empty else inputs.look.facts(inputs.samples.loc[inputs.kept]),
        notes=list(inputs.notes),
        things=inputs.things,
        form=inputs.look.FORM,
    )


def _check(name: object, rows: pd.DataFrame, inputs: Inputs) -> dict[str, Any]:
    title, about = {**_TITLES, **inputs.look.TITLES}.get(str(name), (str(name), ""))
    single = rows[rows["row"] >= 0]
    sentences = rows.loc[rows["row"] < 0, "detail"].tolist()
    return {
        "name": str(name),
        "title": title,
        "about": about,
        "count": len(rows),
        "pictures": len(single),
        "does": ", ".join(
            f"{count:,} {_DOES[str(policy)][count != 1]}"
            for policy, count in rows["policy"].value_counts(sort=False).items()
        ),
        "serious": bool((rows["policy"] == "error").any()),
        "sentences": sentences[:_SENTENCES],
        "more_sentences": max(0, len(sentences) - _SENTENCES),
        "figures": _figures(single.head(_EXAMPLES), inputs),
    }


def _figures(rows: pd.DataFrame, inputs: Inputs) -> list[dict[str, Any]]:
    samples = inputs.samples
    places = samples.index[samples["path"].isin(set(rows["other"].dropna()))].tolist()
    by_path: dict[str, int] = dict(zip(samples["path"].loc[places], places, strict=True))
    mine = [int(row) for row in rows["row"]]
    others = [by_path.get(path) for path in rows["other"]]
    wanted = sorted({*mine, *(row for row in others if row is not None)})
    usable = samples["reason"].isna()
    shown = [row for row in wanted if usable[row]]
    known = dict(zip(shown, inputs.look.large(pd.Index(shown, dtype="int64")), strict=True))
    figures = []
    for row, other, reason, detail in zip(mine, others, rows["reason"], rows["detail"], strict=True):
        figures.append(
            {
                "image": known.get(row),
                "other": None if other is None else known.get(other),
                "caption": reason,
                "target": samples["target"][row],
                "detail": detail,
                "source": samples["path"][row],
            }
        )
    return figures


def _classes(inputs: Inputs) -> list[dict[str, Any]]:
    kept = inputs.samples.loc[inputs.kept]
    counts = kept["target"].value_counts()
    left_out = inputs.findings.loc[inputs.findings["policy"] == "quarantine", "target"].value_counts()
    sides = kept.groupby(["target", "split"]).size() if kept["split"].notna().any() else None
    largest = max(int(counts.max()) if len(counts) else 0, 1)
    return [
        {
            "name": name,
            "kept": int(counts.get(name, 0)),
            "left_out": int(left_out.get(name, 0)),
            "share": 100 * int(counts.get(name, 0)) / largest,
            "splits": ""
            if sides is None
            else ", ".join(
                f"{side} {int(sides.get((name, side), 0)):,}"
                for side in ("train", "val", "test")
                if (name, side) in sides.index
            ),
        }
        for name in list(inputs.classes)[:_MOST_CLASSES]
    ]


def _strips(inputs: Inputs) -> list[dict[str, Any]]:
    """The first samples of the first classes."""
    kept = inputs.samples.loc[inputs.kept]
    wanted = list(inputs.classes)[:_CLASSES]
    rows = kept[kept["target"].isin(wanted)].groupby("target").head(_STRIP)
    figures = dict(zip(rows.index, inputs.look.small(rows.index), strict=True))
    return [
        {"name": name, "images": [figures[row] for row in rows.index[rows["target"] == name]]}
        for name in wanted
        if (rows["target"] == name).any()
    ]
