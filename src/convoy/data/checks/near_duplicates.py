"""Nearly the same sample again, in one split. Splits keep such samples together (column `twins`)."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "near_duplicates"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: near duplicate; of several the first of the table is none."""
    cluster = context.clusters(samples)
    rows = samples.loc[cluster.index].assign(cluster=cluster)
    found = []
    for _, group in rows.groupby(["cluster", rows["split"].fillna("")], sort=False):
        first = group["path"].iloc[0]
        known = {group["id"].iloc[0]}
        for row, identity in zip(group.index.tolist(), group["id"], strict=True):
            if identity not in known:  # the same content is for `duplicates`
                detail = f"nearly the same {context.noun} as {first}"
                found.append(Finding(row, "near duplicate", detail, other=first))
            known.add(identity)
    return sorted(found, key=lambda finding: finding.row or 0)
