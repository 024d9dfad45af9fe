"""There are at least two classes, and each has enough good samples."""

import pandas as pd

from convoy.data import manifest
from convoy.data.checks._base import Context, Verdict

NAME = "classes"


def run(samples: pd.DataFrame, context: Context) -> Verdict:
    """Quarantines nothing; a single class, an empty one or a small one stops the run."""
    problems = []
    if len(context.classes) < 2:
        problems.append(f"there is a single class, {context.classes[0]!r}; a classifier needs at least two")
    for name, count in manifest.counts(samples, context.classes).items():
        if count == 0:
            problems.append(f"class {name!r} is empty: it has no good sample")
        elif count < context.min_per_class:
            problems.append(
                f"class {name!r} has {count} good sample{'s' if count > 1 else ''}, "
                f"fewer than validate.min_per_class = {context.min_per_class}"
            )
    return Verdict(problems=problems)
