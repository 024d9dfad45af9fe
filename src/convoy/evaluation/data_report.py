"""report.html of `validate`: one self-contained page of what was found in the data, pictures first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.previews import Preview
from convoy.evaluation.page import page
from convoy.evaluation.pictures import Thumbnail, thumbnail

Thumbnails = Callable[["pd.Index[Any]"], NDArray[np.uint8]]

_EXAMPLES = 24  # pictures of a check
_SENTENCES = 20  # findings of a check that are about no single picture
_CLASSES, _STRIP = 12, 8  # classes whose pictures are shown, and how many of each
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
        thumbnails: rows -> (N, 32, 32, 3) uint8, for many.
        previews: rows that open -> pictures, for few.
    """

    source: str
    samples: pd.DataFrame
    kept: "pd.Index[Any]"
    findings: pd.DataFrame
    classes: Sequence[str]
    problems: Sequence[str]
    notes: Sequence[str]
    thumbnails: Thumbnails
    previews: Callable[["pd.Index[Any]"], Sequence[Preview | None]]


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
        facts=_facts(inputs),
        notes=list(inputs.notes),
    )


def _check(name: object, rows: pd.DataFrame, inputs: Inputs) -> dict[str, Any]:
    title, about = _TITLES.get(str(name), (str(name), ""))
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
    shown = [row for row in wanted if samples["width"][row] > 0]
    pictures = dict(zip(shown, inputs.previews(pd.Index(shown, dtype="int64")), strict=True))
    figures = []
    for row, other, reason, detail in zip(mine, others, rows["reason"], rows["detail"], strict=True):
        figures.append(
            {
                "image": _figure(row, pictures),
                "other": _figure(other, pictures),
                "caption": reason,
                "target": samples["target"][row],
                "detail": detail,
                "source": samples["path"][row],
            }
        )
    return figures


def _figure(row: int | None, pictures: Mapping[int, Preview | None]) -> Thumbnail | None:
    picture = None if row is None else pictures.get(row)
    return None if picture is None else thumbnail(picture)


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
    """The first pictures of the first classes."""
    kept = inputs.samples.loc[inputs.kept]
    wanted = list(inputs.classes)[:_CLASSES]
    rows = kept[kept["target"].isin(wanted)].groupby("target").head(_STRIP)
    pictures = dict(zip(rows.index, inputs.thumbnails(rows.index), strict=True))
    return [
        {
            "name": name,
            "images": [thumbnail(_grey(pictures[row])) for row in rows.index[rows["target"] == name]],
        }
        for name in wanted
        if (rows["target"] == name).any()
    ]


def _grey(image: Preview) -> Preview:
    """One channel where all three are equal."""
    return image[:, :, :1] if (image == image[:, :, :1]).all() else image


def _facts(inputs: Inputs) -> list[tuple[str, str]]:
    kept = inputs.samples.loc[inputs.kept]
    if kept.empty:
        return []
    sizes = [
        f"{kept[side].min():,} to {kept[side].max():,}, median {kept[side].median():,.0f}"
        for side in ("width", "height")
    ]
    listed = [
        ", ".join(f"{name} {count:,}" for name, count in kept[column].value_counts().head(8).items())
        for column in ("mode", "format")
    ]
    return [
        ("width", sizes[0]),
        ("height", sizes[1]),
        ("colour mode", listed[0]),
        ("format", listed[1]),
        ("bytes", f"{kept['bytes'].sum():,} in all, {kept['bytes'].median():,.0f} in the median"),
        (
            "grey",
            f"mean {kept['mean'].mean():.0f} of 255, deviation {kept['std'].median():.0f} in the median",
        ),
    ]
