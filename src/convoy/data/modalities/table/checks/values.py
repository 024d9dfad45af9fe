"""Cells that are not what their column holds: "1,234" or a word among numbers, a day that there is not."""

import pandas as pd

from convoy.data.checks._base import Context, Finding
from convoy.data.modalities.table import kinds

NAME = "values"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: value; one for a row, of its first bad cell."""
    facts = context.facts
    found: dict[int, Finding] = {}
    for name, kind in facts.kinds.items():
        if kind == "category":
            continue
        column = facts.values.loc[samples.index, name].dropna()
        said = {value: kinds.problem(kind, facts.layout)(value) for value in column.unique()}
        wrong = column[column.map(said).notna()]
        for row, value in zip(wrong.index.tolist(), wrong.tolist(), strict=True):
            origin = str(samples.at[row, "origin"]) if "origin" in samples else ""
            detail = f"{origin}: column {name!r} ({kind}): {said[value]}"
            found.setdefault(int(row), Finding(int(row), "value", detail.removeprefix(": ")))
    return [found[row] for row in sorted(found)]
