"""The same content again, in one split and class."""

import pandas as pd

from convoy.data.checks._base import Context, Finding, labels_of

NAME = "duplicates"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: duplicate; of several the first of the table is none."""
    repeated = samples[samples["id"].duplicated(keep=False)]
    if repeated.empty:
        return []
    key = pd.DataFrame(
        {"id": repeated["id"], "label": labels_of(repeated, context), "split": repeated["split"].fillna("")}
    )
    first: dict[tuple[str, ...], str] = {}
    found = []
    for row, path, place in zip(
        key.index, repeated["path"], key.itertuples(index=False, name=None), strict=True
    ):
        kept = first.setdefault(place, path)
        if kept != path:
            found.append(Finding(int(row), "duplicate", f"same content as {kept}", other=kept))
    return found
