"""What pictures look like, in a few numbers: what `convoy monitor` compares."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import appearance, pixels

if TYPE_CHECKING:
    from convoy.data.store import Store

FACTS = ("width", "height")  # of the file; the predictions table has them, too


def of_store(store: "Store", rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Numbers (len(rows),) of prepared samples."""
    return appearance.measures(np.take(store.images, rows, axis=0))


def of_sample(content: Any, sample: NDArray[np.uint8]) -> dict[str, float | None]:
    """Of one sample: of its bytes or pixels, and of (H, W, C) as the network takes it."""
    try:
        header = pixels.inspect(content, sys.maxsize)
    except pixels.UndecodableImage:  # a picture that was decoded is answered, whatever its header says
        header = {"width": None, "height": None}
    found = {name: float(values[0]) for name, values in appearance.measures(sample[None]).items()}
    return {**found, **{name: header[name] for name in FACTS}}
