"""The page of a learning-rate range test."""

import math

from convoy.evaluation.charts import LARGE, Line, chart, padded
from convoy.evaluation.page import page
from convoy.training.lr_find import RangeTest

_HIGHEST = 1.5  # times the first smoothed loss: above, a curve that explodes hides where it fell


def render(found: RangeTest, title: str) -> str:
    """Both curves over the logarithm of the rate, with the suggestion marked; needs a step or more."""
    x = [math.log10(lr) for lr in found.lrs]
    top = _HIGHEST * found.smoothed[0]
    low, high = padded([min(value, top) for value in (*found.losses, *found.smoothed)])
    across = padded(x)
    lines = [
        Line([(at, min(value, top)) for at, value in zip(x, found.losses, strict=True)], tone=2),
        Line(
            [(at, min(value, top)) for at, value in zip(x, found.smoothed, strict=True)], sizes=[0.0] * len(x)
        ),
    ]
    if found.suggested is not None:
        at = math.log10(found.suggested)
        lines.append(Line([(at, low), (at, high)], dashed=True))
    return page(
        "lr_find.html",
        title=title,
        found=found,
        chart=chart(
            lines,
            x=across,
            y=(low, high),
            x_label="learning rate, as a power of ten",
            title="loss over learning rate",
            size=LARGE,
        ),
        rows=rows(found),
    )


def rows(found: RangeTest, most: int = 20) -> list[tuple[str, float, float]]:
    """About `most` steps: rate, loss, smoothed loss."""
    every = max(1, len(found.lrs) // most)
    return [
        (f"{found.lrs[n]:.2e}", found.losses[n], found.smoothed[n]) for n in range(0, len(found.lrs), every)
    ]
