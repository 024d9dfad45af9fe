"""The model that a server answers with, and the watch that exchanges it when its alias moves."""

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convoy.data._threads import cores
from convoy.errors import ConvoyError, IntegrityError
from convoy.serving import keeping
from convoy.serving.batching import Batcher, Rows
from convoy.serving.keeping import Keeper
from convoy.serving.metrics import Metrics
from convoy.serving.predictor import BadBundle, Predictor, Sample
from convoy.serving.source import Reference, Source

MAX_PIXELS = 50_000_000  # of one picture, whatever the bundle allows
_LONGEST_PAUSE = 60.0  # seconds between two tries to load a bundle that failed


@dataclass(frozen=True)
class BadPicture:
    """A picture that has no answer; `kind` is empty, oversized, unknown (no known format) or damaged."""

    index: int
    kind: str
    reason: str


class BadPictures(ValueError):
    """Some pictures of a request cannot be decoded."""

    def __init__(self, problems: list[BadPicture]) -> None:
        super().__init__(f"{len(problems)} pictures cannot be decoded")
        self.problems = problems


class Served:
    """A loaded bundle; requests that hold it are answered by it, whatever is swapped in meanwhile."""

    def __init__(
        self, reference: Reference, predictor: Predictor, metrics: Metrics, keeper: Keeper | None = None
    ) -> None:
        if keeper is not None:
            keeping.check(predictor.output)
        self.reference = reference
        self.predictor = predictor
        self._keeper = keeper
        self._batcher = Batcher(predictor.decode, join=predictor.input.join, seen=metrics.batch)

    def classify(self, contents: Sequence[bytes], answer: "Future[Rows]") -> None:
        """Decode, then classify with whoever else asks; the answer gets (n, classes) or the error."""
        if not answer.set_running_or_notify_cancel():
            return
        try:
            samples = self._prepare(contents)
            batch = self.predictor.batch(samples)
            if self._keeper is not None:
                self._keep(self._keeper, contents, samples, answer)
        except Exception as error:  # noqa: BLE001  # it belongs to the one who waits for the answer
            answer.set_exception(error)
            return
        self._batcher.put(batch, answer)

    def _keep(
        self, keeper: Keeper, contents: Sequence[bytes], samples: Sequence[Sample], answer: "Future[Rows]"
    ) -> None:
        modality = self.predictor.info["preprocessing"]["modality"]
        looks = [keeper.look(modality, *pair) for pair in zip(contents, samples, strict=True)]

        def put(answered: "Future[Rows]") -> None:
            if answered.exception() is None:
                keeper.put(self.reference, looks, self.predictor.classes, answered.result())

        answer.add_done_callback(put)

    def explain(self, content: bytes) -> tuple[Sample, NDArray[np.float64]]:
        """The prepared picture (H, W, C) and its heat-map (H, W).

        Raises:
            BadPictures: it cannot be decoded.
        """
        (sample,) = self._prepare([content])
        return sample, self.predictor.heatmap(sample)

    def _prepare(self, contents: Sequence[bytes]) -> list[Sample]:
        given = self.predictor.input
        samples, problems = [], []
        for number, content in enumerate(contents):
            try:
                samples.append(self.predictor.prepare(content))
            except given.BAD as error:
                problems.append(BadPicture(number, given.kind(content, error), str(error)))
        if problems:
            raise BadPictures(problems)
        return samples


class Live:
    """The current model. `current` may be read at any time, from any thread.

    Args:
        source: of bundles.
        interval: seconds between two looks at the registry.
        keeper: hears of every answer.

    Raises:
        ConvoyError: the first bundle cannot be had.
    """

    def __init__(
        self,
        source: Source,
        metrics: Metrics,
        *,
        threads: int = 1,
        interval: float = 5.0,
        keeper: Keeper | None = None,
    ) -> None:
        self._source, self._metrics, self._keeper = source, metrics, keeper
        self._threads, self._interval = threads, interval
        self.pool = ThreadPoolExecutor(cores(), thread_name_prefix="predict")
        self.explainer = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self.problem: str | None = None
        self._failed: Reference | None = None
        self._pause, self._again = 0.0, 0.0
        self._stop = threading.Event()
        self._watch: threading.Thread | None = None
        self.current = self._load(source.resolve())
        metrics.serve(self.current.reference)

    def start(self) -> None:
        if self._source.moves:
            self._watch = threading.Thread(target=self._follow, name="follow-alias", daemon=True)
            self._watch.start()

    def stop(self) -> None:
        """End the watch; answers under way are finished."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join(self._interval)
        for pool in (self.pool, self.explainer):
            pool.shutdown(wait=True, cancel_futures=True)

    def look(self) -> bool:
        """Serve what the source names now; whether that is another bundle. A failure leaves all as it was."""
        try:
            reference = self._source.resolve()
        except (ConvoyError, OSError) as error:
            self._report(f"the registry: {_first_line(error)}")
            return False
        if reference == self.current.reference:
            self.problem = self._failed = None
            return False
        if reference == self._failed and time.monotonic() < self._again:
            return False
        try:
            new = self._load(reference)
        except (ConvoyError, OSError) as error:
            self._pause = (
                min(_LONGEST_PAUSE, 2 * self._pause) if reference == self._failed else self._interval
            )
            self._failed, self._again = reference, time.monotonic() + self._pause
            self._metrics.swap_failed()
            self._report(f"{reference} was not taken: {_first_line(error)}")
            return False
        self.current, self.problem, self._failed = new, None, None
        self._metrics.swapped(new.reference)
        sys.stderr.write(f"convoy serve: {new.reference} is served now\n")
        return True

    def _follow(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # a watch that died would serve the old model for ever
                self._report(f"unexpected: {type(error).__name__}: {error}")

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            sys.stderr.write(f"convoy serve: {problem}; {self.current.reference} goes on\n")
        self.problem = problem

    def _load(self, reference: Reference) -> Served:
        with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
            bundle = self._source.fetch(reference, Path(scratch))
            try:
                predictor = Predictor(bundle, threads=self._threads)
            except BadBundle as error:
                raise IntegrityError(
                    str(error), fix="name a bundle that `convoy stage package` wrote"
                ) from None
            if "max_pixels" in predictor.spec:
                predictor.spec["max_pixels"] = min(predictor.spec["max_pixels"], MAX_PIXELS)
            self._source.check(bundle, predictor)
        _warm_up(predictor, reference)
        return Served(reference, predictor, self._metrics, self._keeper)


def _warm_up(predictor: Predictor, reference: Reference) -> None:
    """The first run of a graph allocates; no request should wait for that.

    Raises:
        IntegrityError: nothing (a black picture) has no finite answer.
    """
    for count in (1, 8):
        if not np.isfinite(predictor.decode(predictor.input.blank(count))).all():
            raise IntegrityError(f"{reference} answers a black picture with NaN", fix="train it again")


def _first_line(error: Exception) -> str:
    what = error.what if isinstance(error, ConvoyError) else error
    return (str(what).splitlines() or [type(error).__name__])[0]
