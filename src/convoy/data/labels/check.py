"""Labels that a model trained on the others doubts, the most doubtful first."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data import fixes
from convoy.data.checks._base import Context, Finding
from convoy.data.labels import suggestions
from convoy.data.labels.audit import Audit, audit
from convoy.layout import FIXES

NAME = "label_issues"
MOST = 200  # labels that are findings; fixes.csv lists more
_WEAK = 0.8  # share of the labels that the model names itself, below which its doubts weigh little


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: label (it is doubted); audit (of the whole: what was not judged, how far to trust it)."""
    if context.task != "classification":
        return []
    found = _audit(samples, context)
    listed = _open(found, samples, context)
    doubted = listed[listed["doubted"].to_numpy(bool)]
    findings = [
        Finding(
            int(str(row)),
            "label",
            f"looks like {suggested} ({confidence:.2f}), labelled {target} ({given:.2f})",
        )
        for row, target, suggested, confidence, given in zip(
            doubted.index[:MOST],
            *(doubted[name].head(MOST) for name in ("target", "suggested", "confidence", "given")),
            strict=True,
        )
    ]
    notes = list(found.notes)
    if len(doubted) > MOST:
        notes.append(f"{len(doubted):,} labels are doubted, the first {MOST} are findings")
    if findings and found.agreement < _WEAK:
        notes.append(
            f"the model names {found.agreement:.0%} of the labels itself: many that it doubts will be right"
        )
    return findings + [Finding(None, "audit", note, mild=True) for note in notes]


def listed(samples: pd.DataFrame, context: Context) -> pd.DataFrame:
    """What `convoy.data.labels.suggestions.table` says of the samples that `run` got; the audit is cached."""
    return _open(_audit(samples, context), samples, context)


def _open(found: Audit, samples: pd.DataFrame, context: Context) -> pd.DataFrame:
    return suggestions.table(found, samples, fixes.settled(context.base / FIXES))


def _audit(samples: pd.DataFrame, context: Context) -> Audit:
    return audit(
        samples,
        context.classes,
        context.facts.thumbnails,
        _pairs(samples.index, context.twins.pairs),
        context.cache / "labels",
        looks=context.facts.folder.name,
    )


def _pairs(rows: pd.Index, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows as pairs of positions in the table; those of rows that are not there are left out."""
    place = np.full(int(max(rows.max() if len(rows) else -1, pairs.max(initial=-1))) + 1, -1)
    place[rows.to_numpy(np.int64)] = np.arange(len(rows))
    inside = place[pairs].reshape(-1, 2)
    inside = inside[(inside >= 0).all(axis=1)]
    return inside[:, 0], inside[:, 1]
