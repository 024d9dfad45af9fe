"""Pictures of a single colour."""

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "blank"
_LEAST = 1.0  # standard deviation, of 0..255, in grey and in each channel of the thumbnail


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: blank."""
    flat = samples[samples["std"] < _LEAST]
    if flat.empty:
        return []
    spread = (
        context.facts.thumbnails(flat.index)
        .reshape(len(flat), -1, 3)
        .astype(np.float64)
        .std(axis=1)
        .max(axis=1)
    )
    return [
        Finding(
            int(row), "blank", f"a single colour: its grey is {mean:.0f} of 255 and deviates by {std:.1f}"
        )
        for row, mean, std, most in zip(flat.index, flat["mean"], flat["std"], spread, strict=True)
        if most < _LEAST
    ]
