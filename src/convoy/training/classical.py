"""Models that are fitted once: the training split goes through the features, then a classifier is fitted.

What comes out is what a training in epochs leaves: weights, one line of history, a journal. Of section
`train` the seed and the threads count; there is no order, no step and no rate. What is interrupted is fitted
again.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from convoy.config.model import ModelConfig
from convoy.data._threads import in_chunks
from convoy.data.loader import PLAIN, BatchLoader, Loading
from convoy.data.store import Store
from convoy.errors import DataError, IntegrityError
from convoy.models._classical.body import Classical, Features
from convoy.training import heads
from convoy.training.fit import Fitted
from convoy.training.journal import EPOCH_SECONDS, IMAGES_PER_SECOND, Journal
from convoy.training.network import Network
from convoy.training.objectives._base import Objective
from convoy.training.precision import Precision
from convoy.training.progress import say

PRECISION = Precision("fp32")
ENDED_BY = "fit"
_BATCH = 32
# Numbers of a batch of pictures: what is worked on stays near the processor, and each operation is long
# enough for another thread to work meanwhile (28 × 28: with 32 a batch, two threads were slower than one).
_NUMBERS, _FEWEST, _MOST = 3 << 17, 16, 512
# Settings of a training in epochs, as `runs` would show them.
_UNUSED = (
    "optimizer.", "schedule.", "early_stopping", "batch_size", "loss", "label_smoothing",
    "augment.online", "augment.mixing", "compile", "ranks",
)  # fmt: skip

Matrix = Any  # (N, D) float32, an array or a csr_matrix


def fit(
    build: Callable[[], Network],
    model: ModelConfig,
    objective: Objective,
    *,
    outputs: int,
    seed: int,
    train: Sequence[Store],
    val: Store,
    journal: Journal,
    loading: Loading = PLAIN,
) -> Fitted:
    """Fit the network's features, then its head, and measure both splits.

    Args:
        build: makes the unfitted network; torch is seeded before.
        objective: classification; its class weights count, its loss is measured.
        journal: has its `start` event; one epoch is appended.

    Raises:
        DataError: the training split holds one class, or nothing that features can be learned from.
        IntegrityError: a feature or a score is not finite.
    """
    threads, begun = torch.get_num_threads(), time.perf_counter()
    journal.keep([e for e in journal.events() if e["event"] == "start"])
    torch.manual_seed(seed)
    network = build().eval()
    body = network.body
    assert isinstance(body, Classical)
    splits = {
        "train": BatchLoader(train, batch_size=_BATCH, workers=0, loading=replace(loading, length=None)),
        "val": BatchLoader([val], batch_size=_BATCH, workers=0, loading=replace(loading, length=None)),
    }
    target = np.concatenate([store.target for store in train])
    if len(np.unique(target)) < 2:
        raise DataError(
            "the training split holds samples of one class, from which no classifier can be fitted",
            where="artifacts/prepare/train",
            fix="bring samples of the other classes, or another split",
        )
    with threadpool_limits(threads):  # equal bits need equal threads
        _learn(network, splits["train"], seed)
        known = features(network, splits["train"], threads)
        _expect_finite(known)
        taken = time.perf_counter() - begun
        say(f"{known.shape[0]:,} samples gave {known.shape[1]:,} features each in {taken:.1f} s")
        weight = _weights(objective, target)
        classifier = model.classifier  # type: ignore[union-attr]  # of classical models
        sample = heads.Sample(known, target, weight, outputs)
        _, complaint = heads.fit(
            classifier, body.head, sample, scaled=body.features.scaled, seed=seed, threads=threads
        )
        if complaint:
            say(f"{classifier.name} {complaint}")
    values = {
        **_measured("train", body.head, known, target, objective),
        **_measured("val", body.head, features(network, splits["val"], threads), val.target, objective),
    }
    seconds = time.perf_counter() - begun
    say(
        f"{model.name}, {classifier.name}: fitted in {seconds:.1f} s, "
        + ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    )
    clocked = {EPOCH_SECONDS: round(seconds, 3), IMAGES_PER_SECOND: round(len(target) / seconds, 1)}
    journal.append("metrics", step=0, values={**values, **clocked})
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    return Fitted(weights, best_epoch=0, epochs_run=1, ended_by=ENDED_BY)


def features(network: Network, loader: BatchLoader, threads: int) -> Matrix:
    """(N, D) of all samples of the loader, in its order; batches are computed by several threads.

    Each batch is computed by one thread, so the numbers do not depend on how many there are.
    """
    body = network.body
    assert isinstance(body, Classical)
    few = body.features.sparse

    def work(rows: range) -> Matrix:
        found = _through(network, loader, rows).numpy()
        return sparse.csr_matrix(found) if few else found

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    network.body = body.features
    try:
        parts = list(in_chunks(work, loader.samples, _together(loader.stores[0]), threads))
    finally:
        network.body = body
        torch.set_num_threads(before)
    joined: Matrix = sparse.vstack(parts, format="csr") if few else np.concatenate(parts)
    return joined


def _together(store: Store) -> int:
    """Samples whose features are computed at once."""
    if not store.sample_bytes:
        return _BATCH
    return min(_MOST, max(_FEWEST, _NUMBERS // math.prod(store.images.shape[1:])))


def described(model: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that say something of a model that was fitted."""
    kept = {name: value for name, value in params.items() if not name.startswith(_UNUSED)}
    kept.pop("model.classifier")
    kept["epochs"] = 1
    return {**{f"classifier.{name}": value for name, value in model["classifier"].items()}, **kept}


class _Seeing(nn.Module):
    """In place of features, while they look at what they are fitted to."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self._features = [features]  # no member: it is not to be found twice

    def forward(self, batch: Tensor) -> Tensor:
        self._features[0].see(batch)
        return torch.zeros(())


def _learn(network: Network, loader: BatchLoader, seed: int) -> None:
    body = network.body
    assert isinstance(body, Classical)
    if not body.features.learns:
        return
    network.body = _Seeing(body.features)
    try:
        for first in range(0, loader.samples, _BATCH):
            _through(network, loader, range(first, min(first + _BATCH, loader.samples)))
    finally:
        network.body = body
    with torch.inference_mode():
        body.features.learn(seed)


def _through(network: Network, loader: BatchLoader, rows: range) -> Tensor:
    batch = loader.plain(np.arange(rows.start, rows.stop))
    given = [torch.from_numpy(np.require(batch[name], requirements="W")) for name in network.inputs]
    with torch.inference_mode():
        found: Tensor = network(*given)
    return found


def _weights(objective: Objective, target: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Of each sample, by its class, as the objective has them."""
    of_classes = getattr(objective, "weights", None)
    if of_classes is None:
        return None
    found: NDArray[np.float64] = of_classes.double().numpy()[target]
    return found


def _expect_finite(known: Matrix) -> None:
    values: Any = known.data if isinstance(known, sparse.csr_matrix) else known
    if not np.isfinite(values).all():
        raise IntegrityError(
            "a feature of the training split is not finite",
            where="artifacts/prepare/train",
            fix="look for missing or huge values in the data: `convoy data report`",
        )


def _measured(
    split: str, head: nn.Module, known: Matrix, target: NDArray[np.int64], objective: Objective
) -> dict[str, float]:
    """Loss and accuracy as the objective measures them."""
    sums: dict[str, float] = {}
    for first in range(0, len(target), _BATCH):
        rows = known[first : first + _BATCH]
        values = torch.from_numpy(rows.toarray() if isinstance(rows, sparse.csr_matrix) else rows)
        with torch.inference_mode():
            found = objective.measures(head(values), torch.tensor(target[first : first + _BATCH]))
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    means = {f"{split}_{name}": value / len(target) for name, value in sums.items()}
    for name, mean in means.items():
        if not math.isfinite(mean):
            raise IntegrityError(
                f"{name} is {mean}",
                where="the fit",
                fix="lower the classifier's C, or scale the data in section prepare",
            )
    return means
