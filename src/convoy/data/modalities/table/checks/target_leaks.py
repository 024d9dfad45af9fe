"""Columns that tell the label: a copy of it, or something that was known only afterwards."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "target_leaks"
_TELLS = 0.98  # of the rows' labels
_LEAST = 20  # rows
_MOST_VALUES = 0.2  # different values, of the rows: with more, rare ones tell by chance
_BETTER = 0.5  # of what the commonest class leaves wrong must be right


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: equals the label, tells the label; of the data as a whole, one for a column."""
    if context.task != "classification" or len(samples) < _LEAST:
        return []
    labels = samples["target"]
    usual = float(labels.value_counts(normalize=True).iloc[0])
    found = []
    for name in context.facts.values.columns:
        column = context.facts.values.loc[samples.index, name]
        if (column.fillna("") == labels).mean() >= _TELLS and usual < _TELLS:
            found.append(
                Finding(None, "equals the label", f"column {name!r} equals the label: it leaks the answer")
            )
            continue
        if column.nunique() > _MOST_VALUES * len(samples):
            continue
        counts = pd.crosstab(column.fillna(""), labels)
        right = counts.max(axis=1).sum() / len(samples)
        if right >= _TELLS and right - usual >= _BETTER * (1 - usual):
            detail = (
                f"column {name!r} alone tells the label of {right:.1%} of the rows: is it known beforehand?"
            )
            found.append(Finding(None, "tells the label", detail))
    return found
