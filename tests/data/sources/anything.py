"""Content with anything in the place of anything."""

import math
import random
from typing import Any


def mutated(value: Any, draw: random.Random) -> Any:
    """A JSON value in which a few things are replaced by others."""
    if draw.random() < 0.03:
        return draw.choice([None, True, -1, 0, 1e400, math.nan, "", "x", [], {}, [[]], [{}], ["a", 1]])
    if isinstance(value, dict):
        return {key: mutated(each, draw) for key, each in value.items() if draw.random() > 0.02}
    if isinstance(value, list):
        return [mutated(each, draw) for each in value]
    return value
