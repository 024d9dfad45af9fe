"""Categories that stand in the given val or test split, and nowhere in the training split."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "unseen"
_NAMED = 5


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: unseen; of the data as a whole, one for a column."""
    training = samples.index[samples["split"] == "train"]
    others = samples.index[samples["split"].isin(["val", "test"])]
    if training.empty or others.empty:
        return []
    found = []
    for name, kind in context.facts.kinds.items():
        if kind != "category":
            continue
        column = context.facts.values[name]
        known = set(column.loc[training].dropna())
        new = column.loc[others].dropna()
        counts = new[~new.isin(known)].value_counts()
        if len(counts):
            named = ", ".join(f"{value!r} ({count:,})" for value, count in counts.head(_NAMED).items())
            more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
            detail = f"column {name!r} has categories that the training split does not hold: {named}{more}"
            found.append(Finding(None, "unseen", detail))
    return found
