"""Pictures of a source to pixels of one size, on all cores, in order, a bounded number under way."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from convoy.config.data import DataConfig
from convoy.data import manifest, opening, pixels, workers
from convoy.data._quiet import decoders_quiet
from convoy.data._threads import cores, in_chunks
from convoy.errors import DataError

_WORTH = 2.0  # seconds of work from which on child processes gain more over threads than their start costs
_START = 0.6  # seconds until children work
_TIMED = 8  # pictures by which the work is estimated
_TRAVELLING = 4 << 20  # bytes of pixels that one message of a child holds at most
_CHUNK = 64
_FIX = "the data changed since they were ingested: run the pipeline again"

Item = tuple[str, str]  # locator, id


class Picture(NamedTuple):
    """Pixels (H, W, C) of the spec's size, and rows and columns that the picture had before."""

    pixels: bytes
    rows: int
    columns: int


@dataclass(frozen=True)
class Decoder:
    """Makes the function that prepares one item; what it opens stays open.

    Attributes:
        data: names the source.
        base: the project's root.
        spec: as for `pixels.prepare`.
    """

    data: DataConfig
    base: Path
    spec: Mapping[str, Any]

    def __call__(self) -> Callable[[Item], Picture]:
        read = opening.reader(self.data, self.base)

        def prepare(item: Item) -> Picture:
            path, identity = item
            content = read(path)
            if manifest.content_id(content) != identity:
                raise DataError(f"{path} is not what it was", where=self.data.path, fix=_FIX)
            try:
                image = pixels.decode(content, self.spec["channels"], self.spec["max_pixels"])
            except pixels.UndecodableImage as error:
                raise DataError(
                    f"{path} does not open any more: {error}", where=self.data.path, fix=_FIX
                ) from None
            return Picture(pixels.fitted(image, self.spec).tobytes(), *image.shape[:2])

        return prepare


def decoded(decoder: Decoder, items: Sequence[Item], processes: int | None = None) -> Generator[Picture]:
    """The items' pictures in order; the same for any number of processes.

    The standard error is silent while this is under way: close it where it is left early.

    Args:
        processes: children; 0: threads of this process; None: by the work, estimated from a few pictures.

    Raises:
        DataError: a picture changed since it was ingested, or does not open.
    """
    if not items:
        return
    with decoders_quiet():
        do = decoder()
        seconds = _seconds(do, items)
        if processes is None:
            processes = 0 if cores() == 1 or seconds * len(items) < _WORTH else cores()
        if processes == 0:
            for part in in_chunks(lambda rows: [do(items[row]) for row in rows], len(items), _chunk(decoder)):
                yield from part
            return
        first = min(int(_START / seconds), len(items) // (processes + 1))
        yield from _by_children(decoder, do, items, first, processes)


def _by_children(
    decoder: Decoder, do: Callable[[Item], Picture], items: Sequence[Item], first: int, processes: int
) -> Generator[Picture]:
    """While the children start, this process does the `first` items."""
    rest = items[first:]
    with closing(_results(decoder, rest, processes)) as results, ThreadPoolExecutor(1) as starter:
        begun = starter.submit(next, results)
        for item in items[:first]:
            yield do(item)
        for item, result in zip(rest, chain([begun.result()], results), strict=True):
            if isinstance(result, workers.Died):
                raise DataError(f"{item[0]}: {result.detail}", where=decoder.data.path, fix=_FIX)
            yield result


def _results(decoder: Decoder, items: Sequence[Item], processes: int) -> Generator[Picture | workers.Died]:
    yield from workers.run(decoder, items, processes=processes, chunk=_chunk(decoder))


def _chunk(decoder: Decoder) -> int:
    """How many pictures travel together."""
    size = decoder.spec["height"] * decoder.spec["width"] * decoder.spec["channels"]
    return int(max(1, min(_CHUNK, _TRAVELLING // size)))


def _seconds(do: Callable[[Item], Picture], items: Sequence[Item]) -> float:
    """What a picture takes, from a few of them that lie evenly."""
    do(items[0])  # loads the decoders
    taken = []
    for number in range(_TIMED):
        started = time.perf_counter()
        do(items[number * len(items) // _TIMED])
        taken.append(time.perf_counter() - started)
    return sum(taken) / _TIMED
