"""Every group by its position: samples of one group, and their twins, stay together.

Stable under growth like `stratified`. A sample that connects two groups makes one of them, which may change
the sides of one of the two.
"""

import pandas as pd

from convoy.data.splits._base import Division, How, Units, has, wanting
from convoy.data.splits.stratified import by_position


def divide(samples: pd.DataFrame, how: How) -> Division:
    """By thresholds on the groups' positions.

    Raises:
        ConfigError: the data name no groups.
        DataError: a class lies in too few groups for all sides.
    """
    if not has(samples, "group"):
        raise wanting("grouped", "groups", "data.group_col")
    return by_position(samples, how, Units(samples, groups=True))
