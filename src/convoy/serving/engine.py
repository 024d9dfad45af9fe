"""Many samples through one predictor: prepared by all cores, classified in batches, memory bounded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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
        rows: (n, K) numbers of those that could be read, in order: of classes, their probabilities.
        errors: position -> why a picture could not be read.
        looks: what `look` said of those that could be read, in order; empty without it.
    """

    pictures: range
    rows: NDArray[np.float64]
    errors: dict[int, str]
    looks: list[Any]


def classify_all(
    predictor: Predictor,
    pictures: Sequence[Content],
    *,
    batch_size: int = BATCH,
    read: Callable[[Content], Content] = lambda content: content,
    look: Callable[[str, Content, Sample], Any] | None = None,
) -> Iterator[Batch]:
    """Classify any number of pictures; what cannot be read is reported and costs the others nothing.

    At most twice as many batches as there are cores are prepared ahead of the network.

    Args:
        read: turns an element of `pictures` into content, in the decoding threads; its OSErrors are reported.
        look: is shown modality, content and prepared sample, there, too.
    """

    look_of = partial(look, predictor.info["preprocessing"]["modality"]) if look is not None else None

    def prepare(rows: range) -> tuple[range, list[Sample], dict[int, str], list[Any]]:
        samples, errors, looks = [], {}, []
        for row in rows:
            try:
                content = read(pictures[row])
                if isinstance(content, Path):
                    content = content.read_bytes()
                samples.append(predictor.prepare(content))
                if look_of is not None:
                    looks.append(look_of(content, samples[-1]))
            except predictor.input.BAD as error:
                errors[row] = str(error)
            except OSError as error:
                errors[row] = error.strerror or str(error)
        return rows, samples, errors, looks

    nothing = np.zeros((0, len(predictor.output.columns)))
    for rows, samples, errors, looks in in_chunks(prepare, len(pictures), batch_size):
        yield Batch(rows, predictor.decode(predictor.batch(samples)) if samples else nothing, errors, looks)
