"""Many pictures through one predictor: decoded by all cores, classified in batches, memory bounded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import pixels
from convoy.data._threads import in_chunks
from convoy.serving.predictor import Content, Predictor

BATCH = 64


@dataclass(frozen=True)
class Batch:
    """Answers for consecutive pictures.

    Attributes:
        pictures: their positions in what was asked.
        probabilities: (n, classes) of those that could be read, in order.
        errors: position -> why a picture could not be read.
        looks: what `look` said of those that could be read, in order; empty without it.
    """

    pictures: range
    probabilities: NDArray[np.float64]
    errors: dict[int, str]
    looks: list[Any]


def classify_all(
    predictor: Predictor,
    pictures: Sequence[Content],
    *,
    batch_size: int = BATCH,
    read: Callable[[Content], Content] = lambda content: content,
    look: Callable[[pixels.Content, NDArray[np.uint8]], Any] | None = None,
) -> Iterator[Batch]:
    """Classify any number of pictures; what cannot be read is reported and costs the others nothing.

    At most twice as many batches as there are cores are prepared ahead of the network.

    Args:
        read: turns an element of `pictures` into content, in the decoding threads; its OSErrors are reported.
        look: is shown the content and the prepared picture (H, W, C), there, too.
    """

    def prepare(rows: range) -> tuple[range, list[NDArray[np.uint8]], dict[int, str], list[Any]]:
        images, errors, looks = [], {}, []
        for row in rows:
            try:
                content = read(pictures[row])
                if isinstance(content, Path):
                    content = content.read_bytes()
                images.append(predictor.prepare(content))
                if look is not None:
                    looks.append(look(content, images[-1]))
            except pixels.UndecodableImage as error:
                errors[row] = str(error)
            except OSError as error:
                errors[row] = error.strerror or str(error)
        return rows, images, errors, looks

    nothing = np.zeros((0, len(predictor.classes)))
    for rows, images, errors, looks in in_chunks(prepare, len(pictures), batch_size):
        yield Batch(rows, predictor.classify(np.stack(images)) if images else nothing, errors, looks)
