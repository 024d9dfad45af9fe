"""The same or nearly the same picture in two of the splits that the data themselves name."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "leakage"
_KEPT = ("test", "val", "train")  # the first of these that holds the picture is where it stays


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: leakage (the same content), near leakage. Named are the copies outside of test (else val)."""
    given = samples[samples["split"].notna()]
    if given["split"].nunique() < 2:
        return []
    found: dict[int, Finding] = {}
    for reason, words, cluster in (
        ("leakage", "same content as", given["id"]),
        ("near leakage", f"nearly the same {context.noun} as", context.clusters(given)),
    ):
        rows = given.loc[cluster.index].assign(cluster=cluster)
        sides = rows.groupby("cluster")["split"].nunique()
        for _, group in rows[rows["cluster"].isin(sides.index[sides > 1])].groupby("cluster", sort=False):
            stays = next(side for side in _KEPT if (group["split"] == side).any())
            other = group[group["split"] == stays]["path"].iloc[0]
            for row, split in zip(group.index.tolist(), group["split"], strict=True):
                if split != stays:
                    detail = f"in {split}; {words} {other} in {stays}"
                    found.setdefault(row, Finding(row, reason, detail, other=other))
    return [found[row] for row in sorted(found)]
