"""What the server counts, as Prometheus reads it at `/metrics`."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from convoy.serving.source import Reference

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server; each has its own registry, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "convoy_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "convoy_request_seconds", "From the first byte read to the last one written.", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._active = Gauge("convoy_requests_active", "Requests under way.", registry=self._registry)
        self._batches = Histogram(
            "convoy_batch_pictures", "Pictures that went through the network together.",
            buckets=_BATCHES, registry=self._registry,
        )  # fmt: skip
        self._model = Gauge(
            "convoy_model_info", "The model that answers.", ["model", "version", "digest"],
            registry=self._registry,
        )  # fmt: skip
        self._swaps = Counter("convoy_swaps", "Models that were swapped in.", registry=self._registry)
        self._failures = Counter(
            "convoy_swap_failures", "Models that could not be loaded; the old one went on.",
            registry=self._registry,
        )  # fmt: skip

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def active(self, change: int) -> None:
        self._active.inc(change)

    def batch(self, pictures: int) -> None:
        self._batches.observe(pictures)

    def serve(self, reference: "Reference") -> None:
        self._model.clear()
        self._model.labels(reference.name, reference.version, reference.digest).set(1)

    def swapped(self, reference: "Reference") -> None:
        self._swaps.inc()
        self.serve(reference)

    def swap_failed(self) -> None:
        self._failures.inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
