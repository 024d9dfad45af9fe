"""Whether the lengths of samples alone tell their classes."""

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context, Finding

_TELLS = 0.85  # area under the curve of length, one class against the rest
_LEAST = 20  # samples of a class


def tell(lengths: "pd.Series[int]", samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: length tells; of the data as a whole, one for a class."""
    if context.task != "classification":
        return []
    ranks = lengths.rank().to_numpy(np.float64)
    target = samples["target"].to_numpy(object)
    found = []
    for name in context.classes:
        mine = target == name
        count, others = int(mine.sum()), int((~mine).sum())
        if min(count, others) < _LEAST:
            continue
        area = (ranks[mine].sum() - count * (count + 1) / 2) / (count * others)  # Mann and Whitney
        share, word = max(area, 1 - area), "longer" if area > 0.5 else "shorter"
        if share >= _TELLS:
            said = (
                f"a {context.noun} of class {name!r} is {word} than one of the others in {share:.0%} of the "
                "cases"
            )
            found.append(Finding(None, "length tells", f"{said}: length alone nearly tells the class"))
    return found
