"""Pictures far smaller, larger or longer than the others."""

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context, Finding, number

NAME = "size"
_SIDE = 4.0  # times the median side (of a square of the same area)
_ASPECT = 3.0  # times the median aspect


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: small, large, long."""
    if samples.empty:
        return []
    width, height = samples["width"].to_numpy(float), samples["height"].to_numpy(float)
    side, aspect = np.sqrt(width * height), width / height
    usual, shape = float(np.median(side)), float(np.median(aspect))
    small, large = side * _SIDE <= usual, side >= _SIDE * usual
    long = np.maximum(aspect / shape, shape / aspect) >= _ASPECT
    found = []
    for place in np.flatnonzero(small | large | long).tolist():
        reason = "small" if small[place] else "large" if large[place] else "long"
        least = f"the others are about {number(usual)} x {number(usual)}"
        usually = least if reason != "long" else f"width by height of the others is about {shape:.2f}"
        detail = f"{number(width[place])} x {number(height[place])} pixels; {usually}"
        found.append(Finding(int(samples.index[place]), reason, detail))
    return found
