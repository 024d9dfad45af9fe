"""The learning-rate range test (Smith 2017, arXiv 1506.01186): a few steps at a rate that rises.

Below the useful rates the loss stays, within them it falls, above them it explodes. The suggestion is where
it falls fastest over the logarithm of the rate.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from convoy.config.train import TrainConfig
from convoy.data.loader import BatchLoader
from convoy.data.mixing import Mixing
from convoy.training import clipping, finetune, groups, optimizers, penalties
from convoy.training.feed import Tensors, feed
from convoy.training.learner import Learner
from convoy.training.network import Network
from convoy.training.objectives._base import Objective
from convoy.training.precision import Precision

_MEMORY = 0.9  # of the smoothed loss, from one step to the next (0.98 and 200 steps are much the same curve)
_DIVERGED = 4.0  # times the best smoothed loss ends the test
_SKIPPED = 10  # first steps, in which the smoothed loss means little


@dataclass(frozen=True)
class RangeTest:
    """One entry a step: the rate, the loss at it, and the smoothed loss.

    Attributes:
        suggested: None where the loss fell nowhere.
        diverged: the loss exploded, and the test ended there.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    suggested: float | None
    diverged: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def range_test(
    network: Network,
    objective: Objective,
    config: TrainConfig,
    loader: BatchLoader,
    *,
    device: torch.device,
    precision: Precision,
    mixing: Mixing | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
) -> RangeTest:
    """Train `network` for some steps with the configured optimiser, penalties and accumulation.

    Args:
        network: fresh; it is worth nothing afterwards.
        lowest, highest: rates of the first and the last step; between them they rise by an equal factor.
        steps: of the optimiser.
    """
    assert 0 < lowest < highest
    network = network.to(device).lay_out(precision.memory_format).train()
    if config.fine_tune is not None:
        finetune.apply(network, config.fine_tune, 0)
    learner = Learner(
        network, objective, config, batches=len(loader), samples=loader.samples, mixing=mixing
    ).to(device)
    optimizer = optimizers.optimizer(
        config.optimizer,
        groups.groups(network, config.optimizer, config.fine_tune),
        head=optimizers.head(network),
    )
    shares = [group["lr"] / config.optimizer.lr for group in optimizer.param_groups]
    penalty = penalties.penalty(network, config.l1, config.l2)
    batches = _endless(loader, device)
    lrs: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    for step in range(steps):
        lr = lowest * (highest / lowest) ** (step / max(steps - 1, 1))
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            group["lr"] = lr * share
        optimizer.zero_grad()
        loss = 0.0
        for _ in range(config.accumulate_batches):
            epoch, number, batch = next(batches)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision.name == "bf16"):
                value = learner.loss(batch, epoch, number)
            loss += float(value.detach()) / config.accumulate_batches
            (value / config.accumulate_batches).backward()  # type: ignore[no-untyped-call]
        if penalty is not None:
            penalty().backward()  # type: ignore[no-untyped-call]
        average = _MEMORY * average + (1 - _MEMORY) * loss
        current = average / (1 - _MEMORY ** (step + 1))
        if not math.isfinite(loss) or (step >= _SKIPPED and current > _DIVERGED * min(smoothed)):
            return RangeTest(lrs, losses, smoothed, suggestion(lrs, smoothed), diverged=True)
        lrs.append(lr)
        losses.append(loss)
        smoothed.append(current)
        if config.gradient_clipping is not None:
            clipping.clip(network.parameters(), config.gradient_clipping)
        optimizer.step()
    return RangeTest(lrs, losses, smoothed, suggestion(lrs, smoothed), diverged=False)


def suggestion(lrs: list[float], smoothed: list[float]) -> float | None:
    """The rate at which the smoothed loss falls fastest over log(rate), before it is lowest."""
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    slopes = {
        lrs[n]: (smoothed[n + 1] - smoothed[n - 1]) / math.log(lrs[n + 1] / lrs[n - 1])
        for n in range(_SKIPPED, lowest)
    }
    steepest = min(slopes, key=slopes.__getitem__, default=None)
    return steepest if steepest is not None and slopes[steepest] < 0 else None


def _endless(loader: BatchLoader, device: torch.device) -> Iterator[tuple[int, int, Tensors]]:
    """Epoch, number and tensors of one batch after the other."""
    epoch = 0
    source = feed(loader, device, lambda: epoch)
    while True:
        for number, batch in enumerate(source):
            yield epoch, number, {name: values.to(device) for name, values in batch.items()}
        epoch += 1
