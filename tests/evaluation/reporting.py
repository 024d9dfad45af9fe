"""Toy inputs of a report, and its HTML taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.evaluation.pictures import overlay
from convoy.evaluation.report import ReportInputs

_EMPTY = {"meta", "img", "link", "br"}
_SHAPES = {"line", "polyline", "polygon", "circle"}


def predictions(classes: Sequence[str], said: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """Test rows of (target, prediction) in that order, one row of split val before them."""
    pairs = [(0, 0), *said]
    names = np.asarray(classes, dtype=object)
    target, prediction = (names[[pair[end] for pair in pairs]] for end in (0, 1))
    count = len(pairs)
    right = target == prediction
    table = pd.DataFrame(
        {
            "id": [f"{number:032x}" for number in range(count)],
            "split": ["test"] * count,
            "path": [f"photos/{number}.png" for number in range(count)],
            "target": target,
            "prediction": prediction,
            "confidence": np.float32(0.75),
            "loss": np.where(right, 0.1, 1 + np.arange(count) / count),
        }
    )
    table.loc[0, "split"] = "val"
    return table


def images(side: int = 12, channels: int = 1) -> Any:
    """Pictures that say which row they belong to: filled with its position."""

    def of(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        pixels = np.zeros((len(rows), side, side, channels), np.uint8)
        pixels[:] = rows.astype(np.uint8)[:, None, None, None]
        return pixels

    return of


def heatmap(pictures: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.full(pictures.shape[:3], 0.5, np.float32)


def per_class(classes: Sequence[str], said: Sequence[tuple[int, int]]) -> pd.DataFrame:
    rows = []
    for number, name in enumerate(classes):
        support = sum(target == number for target, _ in said)
        hits = sum(pair == (number, number) for pair in said)
        recall = hits / max(support, 1)
        rows.append([name, recall, recall, recall, support])
    rows.append(["macro average", 0.5, 0.5, 0.5, len(said)])
    return pd.DataFrame(rows, columns=["class", "precision", "recall", "f1", "support"])


def inputs(classes: Sequence[str], said: Sequence[tuple[int, int]], **changed: Any) -> ReportInputs:
    """Everything that a report can have, unless `changed`."""
    accuracy = sum(target == prediction for target, prediction in said) / len(said)
    metrics = {
        "val": {"accuracy": 0.8, "samples": 1},
        "test": {"accuracy": accuracy, "log_loss": 0.4, "ece": 0.03, "samples": len(said)},
        "intervals": {"accuracy": [accuracy - 0.1, min(1.0, accuracy + 0.1)]},
        "baseline": {
            "majority_accuracy": 0.1, "name": "hog_linear", "accuracy": 0.5, "macro_f1": 0.5,
            "difference": accuracy - 0.5, "interval": [accuracy - 0.6, accuracy - 0.4],
        },
    }  # fmt: skip
    slices = pd.DataFrame(
        {
            "slice": ["brightness: darkest quarter", "width: up to 64"],
            "samples": [20, 30], "accuracy": [0.2, 0.9], "low": [0.1, 0.8], "high": [0.3, 1.0],
            "difference": [0.2 - accuracy, 0.9 - accuracy],
        }
    )  # fmt: skip
    robustness = pd.DataFrame(
        [
            {
                "corruption": kind,
                "strength": strength,
                "setting": f"{kind} of {strength}",
                "accuracy": 0.9 - fall * strength,
                "low": 0.2,
                "high": 0.95,
            }
            for kind, fall in (("blur", 0.05), ("noise", 0.2))
            for strength in (1, 2, 3)
        ]
    )
    reliability = pd.DataFrame(
        [
            {"split": split, "stage": stage, "bin": n, "confidence": n / 4, "accuracy": n / 5, "count": n}
            for split in ("val", "test")
            for stage in ("before", "after")
            for n in range(5)
        ]
    )
    scores = {"ece_before": 0.2, "ece_after": 0.1, "log_loss_before": 0.6, "log_loss_after": 0.5}
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [1.0, 0.6, 0.5], "val_loss": [1.1, 0.7, None],
         "val_accuracy": [0.5, 0.8, None]}
    )  # fmt: skip
    everything: dict[str, Any] = {
        "title": "toy",
        "classes": list(classes),
        "metrics": metrics,
        "predictions": predictions(classes, said),
        "explained": "By HiResCAM.",
        "per_class": per_class(classes, said),
        "slices": slices,
        "robustness": robustness,
        "reliability": reliability,
        "calibration": {
            "method": "temperature", "temperature": 1.5, "val": scores, "test": scores,
            "thresholds": {name: {"threshold": 0.4} for name in classes},
        },
        "history": history,
        "best_epoch": 1,
        "facts": {"data": "data/raw/toy"},
    }  # fmt: skip
    of = changed.pop("images", images())
    heat = changed.pop("heatmap", heatmap)

    def explain(rows: NDArray[np.int64], said: NDArray[np.int64]) -> list[Any]:
        shown = of(rows)
        return [(one, overlay(one, hot)) for one, hot in zip(shown, heat(shown, said), strict=True)]

    return ReportInputs(**{**everything, "samples": of, "explain": explain if heat else None, **changed})


@dataclass
class Page(HTMLParser):
    """A page taken apart; closing what is not open, or leaving open what is not closed, is an error."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    section: str = ""
    by_section: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "section":
            self.section = dict(attrs).get("id") or ""
        if tag == "tr":
            self.rows[self.section] = self.rows.get(self.section, 0) + 1
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SHAPES
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"closes {tag}, and nothing is open"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)
            self.by_section.setdefault(self.section, []).append(data)

    def text(self, section: str | None = None) -> str:
        """All words, single-spaced; of one section where it is named, "" for what stands before the first."""
        parts = self.texts if section is None else self.by_section.get(section, [])
        return " ".join(" ".join(parts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def sections(self) -> list[str]:
        return [attributes["id"] for attributes in self.all("section") if "id" in attributes]
