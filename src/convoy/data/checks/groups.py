"""One group in two of the splits that the data themselves name."""

import pandas as pd

from convoy.data.checks._base import Context, Finding, number

NAME = "groups"
_FIRST = ("test", "val", "train")  # which side a group stays on when it has as many samples on both


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: group; the samples outside of the split that holds most of their group are named."""
    if "group" not in samples.columns:
        return []
    rows = samples[samples["group"].notna() & samples["split"].notna()]
    sides = rows.groupby("group")["split"].nunique()
    found = []
    for name, group in rows[rows["group"].isin(sides.index[sides > 1])].groupby("group"):
        counts = group["split"].value_counts()
        order = sorted(counts.index, key=lambda side: (-counts[side], _FIRST.index(side)))
        stays = order[0]
        held = " and ".join(f"{number(counts[side])} in {side}" for side in order)
        other = group[group["split"] == stays]["path"].iloc[0]
        found += [
            Finding(int(row), "group", f"group {name!r} has {held}", other=other)
            for row in group.index[group["split"] != stays]
        ]
    return sorted(found, key=lambda finding: finding.row or 0)
