"""The same picture under two labels."""

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context, Finding, labels_of, named

NAME = "conflicts"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: conflict (the same content: every copy), near conflict (nearly the same picture; it warns)."""
    label = labels_of(samples, context)
    found = {}
    repeated = samples[samples["id"].duplicated(keep=False)]
    for _, group in repeated.groupby("id", sort=False):
        labels = label.loc[group.index]
        if labels.nunique() < 2:
            continue
        for row, mine in zip(labels.index.tolist(), labels, strict=True):
            other = labels.index[(labels != mine).to_numpy()][0]
            path = samples["path"][other]
            detail = f"same content as {path} ({named(labels[other], context)})"
            found[row] = Finding(row, "conflict", detail, other=path)
    near = context.twins.pairs
    near = near[np.isin(near, samples.index.to_numpy()).all(axis=1)]
    for one, other in near.tolist():
        if label[one] == label[other] or context.ids[one] == context.ids[other]:
            continue
        for row, twin in ((one, other), (other, one)):
            path = samples["path"][twin]
            detail = f"nearly the same {context.noun} as {path} ({named(label[twin], context)})"
            found.setdefault(row, Finding(row, "near conflict", detail, other=path, mild=True))
    return [found[row] for row in sorted(found)]
