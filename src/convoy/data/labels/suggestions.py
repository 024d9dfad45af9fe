"""What a person is asked about: doubtful labels, the most doubtful first, as a table to fill in."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from convoy.data.labels.audit import Audit
from convoy.io import atomic_path

COLUMNS = ("id", "path", "target", "suggested", "confidence", "action")
FILE = "fixes.csv"
_LEAST, _MOST = 60, 500


def table(audit: Audit, samples: pd.DataFrame, settled: set[tuple[str, str]]) -> pd.DataFrame:
    """The doubted labels, then as many that come next in doubt, both in the audit's order: 60 to 500 rows.

    Wrong labels stand beyond the estimate too: of 30 that were flipped among the hand signs 24 were doubted,
    29 stood among the first 60.

    Args:
        audit: of these samples.
        samples: columns id, path and target.
        settled: (id, label) that a person has decided.

    Returns:
        By the samples' index: id, path, target, suggested, confidence (of the suggested class), given (the
        label's own probability), doubted.
    """
    found = audit.table
    rows = samples.loc[found.index, ["id", "path", "target"]].join(found)
    open_ = [pair not in settled for pair in zip(rows["id"], rows["target"], strict=True)]
    rows = rows[np.array(open_, bool) & (rows["suggested"] != rows["target"])]
    rows = rows.drop_duplicates(["id", "target"])
    doubted = rows["doubted"].to_numpy(bool)
    most = min(max(2 * int(doubted.sum()), _LEAST), _MOST)
    others = np.flatnonzero(~doubted)[: max(most - int(doubted.sum()), 0)]
    return rows.iloc[np.concatenate([np.flatnonzero(doubted), others])[:_MOST]]


def write(path: Path, suggestions: pd.DataFrame) -> None:
    """Write the table for a person, with an empty column `action`.

    UTF-8 with a byte order mark: a spreadsheet takes anything else for its country's own encoding.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in suggestions.itertuples():
            writer.writerow((row.id, row.path, row.target, row.suggested, f"{row.confidence:.2f}", ""))
