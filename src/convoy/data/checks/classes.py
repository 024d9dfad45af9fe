"""There are at least two classes, and each has enough good samples. No policy changes that."""

import pandas as pd

from convoy.data import manifest
from convoy.data.checks._base import Context, Finding

NAME = "classes"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: single class, empty class, small class; of the data as a whole."""
    if context.task != "classification":
        return []
    found = []
    if len(context.classes) < 2:
        which = f"a single class, {context.classes[0]!r}" if context.classes else "no class"
        found.append(Finding(None, "single class", f"there is {which}; a classifier needs at least two"))
    least = context.config.min_per_class
    for name, count in manifest.counts(samples, context.classes).items():
        if count == 0:
            found.append(Finding(None, "empty class", f"class {name!r} is empty: it has no good sample"))
        elif count < least:
            found.append(
                Finding(
                    None,
                    "small class",
                    f"class {name!r} has {count} good sample{'s' if count > 1 else ''}, "
                    f"fewer than validate.min_per_class = {least}",
                )
            )
    return found
