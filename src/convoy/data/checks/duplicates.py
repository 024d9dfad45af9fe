"""No content occurs twice: one of several in a class is kept, of several classes none."""

import pandas as pd

from convoy.data.checks._base import Context, Verdict

NAME = "duplicates"


def run(samples: pd.DataFrame, context: Context) -> Verdict:  # noqa: ARG001  # the contract of all checks
    """Reasons: duplicate (the first of the table is kept), conflict (the same content under two labels)."""
    repeated = samples[samples["id"].duplicated(keep=False)]
    bad: dict[int, tuple[str, str]] = {}
    for _, group in repeated.groupby("id", sort=False):
        rows = [int(row) for row in group.index]
        paths = group["path"].tolist()
        if group["target"].nunique() > 1:
            for row, path in zip(rows, paths, strict=True):
                other = next(
                    f"{p} ({t})"
                    for p, t in zip(paths, group["target"], strict=True)
                    if t != group["target"][row] and p != path
                )
                bad[row] = ("conflict", f"same content as {other}")
        else:
            bad |= dict.fromkeys(rows[1:], ("duplicate", f"same content as {paths[0]}"))
    return Verdict(bad=bad)
