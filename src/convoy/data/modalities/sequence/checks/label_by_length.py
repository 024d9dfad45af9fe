"""Whether the length of a sequence alone tells its class: then a model may learn that and nothing else."""

import pandas as pd

from convoy.data.checks import _lengths
from convoy.data.checks._base import Context, Finding

NAME = "label_by_length"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: length tells; of the data as a whole, one for a class."""
    return _lengths.tell(samples["length"], samples, context)
