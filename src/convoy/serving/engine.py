"""Many samples through one predictor: prepared by all cores, classified in batches, memory bounded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convoy.data._threads import in_chunks
from convoy.serving.predictor import Content, Predictor, Sample

BATCH = 64


@dataclass(frozen=True)
class Batch:
    """Answers for consecutive pictures.

    Attributes:
        pictures: their positions in what was asked.
        probabilities: (n, classes) of those that could be read, in order.
        errors: position -> why a picture could not be read.
    """

    pictures: range
    probabilities: NDArray[np.float64]
    errors: dict[int, str]


def classify_all(
    predictor: Predictor,
    pictures: Sequence[Content],
    *,
    batch_size: int = BATCH,
    read: Callable[[Content], Content] = lambda content: content,
) -> Iterator[Batch]:
    """Classify any number of pictures; what cannot be read is reported and costs the others nothing.

    At most twice as many batches as there are cores are prepared ahead of the network.

    Args:
        read: turns an element of `pictures` into content, in the decoding threads; its OSErrors are reported.
    """

    def prepare(rows: range) -> tuple[range, list[Sample], dict[int, str]]:
        samples, errors = [], {}
        for row in rows:
            try:
                samples.append(predictor.prepare(read(pictures[row])))
            except predictor.input.BAD as error:
                errors[row] = str(error)
            except OSError as error:
                errors[row] = error.strerror or str(error)
        return rows, samples, errors

    nothing = np.zeros((0, len(predictor.classes)))
    for rows, samples, errors in in_chunks(prepare, len(pictures), batch_size):
        yield Batch(rows, predictor.classify(predictor.batch(samples)) if samples else nothing, errors)
