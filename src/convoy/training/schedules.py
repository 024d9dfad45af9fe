"""Learning rates over time, each a function of the optimiser's step; and what follows a monitored value."""

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau

from convoy.config.regularise import SwaConfig
from convoy.config.schedule import (
    CosineConfig,
    CosineRestartsConfig,
    ExponentialConfig,
    MultiStepConfig,
    OneCycleConfig,
    PlateauConfig,
    ScheduleConfig,
    StepConfig,
)
from convoy.config.stopping import rises
from convoy.config.train import TrainConfig

Curve = Callable[[int], float]


def factor(config: ScheduleConfig, *, epochs: int, steps_per_epoch: int) -> Curve:
    """The share of the base learning rate at a step (from 0).

    Linear warm-up from one step's share to 1 (Goyal et al., 2017; one_cycle: to its start), then:

    step, multi_step   times gamma at the ends of epochs, counted from the training's first
    exponential        times gamma every epoch, counted from the warm-up's end
    cosine             half a cosine down to final_fraction at the last step (Loshchilov & Hutter, 2017)
    cosine_restarts    the same again and again, each `growth` times as long as the one before
    one_cycle          half a cosine up to 1, half a cosine down to final_fraction (Smith & Topin, 2018)
    fixed, plateau     1
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    steps = epochs * steps_per_epoch - warmup
    after = _after_warmup(config, steps, warmup, steps_per_epoch)
    top = config.start_fraction if isinstance(config, OneCycleConfig) else 1.0

    def at(step: int) -> float:
        return top * (step + 1) / warmup if step < warmup else after(step - warmup)

    return at


def _after_warmup(config: ScheduleConfig, steps: int, warmup: int, steps_per_epoch: int) -> Curve:
    """The share at a step counted from the end of the warm-up, `steps` of which there are."""
    if isinstance(config, StepConfig):
        gamma, length = config.gamma, config.step_epochs
        return lambda step: float(gamma ** (((step + warmup) // steps_per_epoch) // length))
    if isinstance(config, MultiStepConfig):
        gamma, milestones = config.gamma, config.milestones
        return lambda step: float(gamma ** bisect_right(milestones, (step + warmup) // steps_per_epoch))
    if isinstance(config, ExponentialConfig):
        gamma = config.gamma
        return lambda step: float(gamma ** (step // steps_per_epoch))
    if isinstance(config, CosineConfig):
        low, last = config.final_fraction, max(1, steps - 1)
        return lambda step: low + (1 - low) * _falling(min(1.0, step / last))
    if isinstance(config, CosineRestartsConfig):
        return _restarts(config, steps_per_epoch)
    if isinstance(config, OneCycleConfig):
        return _cycle(config.rise, steps, config.start_fraction, 1.0, config.final_fraction)
    return lambda _step: 1.0


def _falling(progress: float) -> float:
    """Half a cosine, from 1 to 0."""
    return (1 + math.cos(math.pi * progress)) / 2


def _restarts(config: CosineRestartsConfig, steps_per_epoch: int) -> Curve:
    low = config.final_fraction

    def at(step: int) -> float:
        length = config.first_epochs * steps_per_epoch
        while step >= length:
            step, length = step - length, length * config.growth
        return low + (1 - low) * _falling(step / length)

    return at


def _cycle(rise: float, steps: int, start: float, top: float, end: float) -> Curve:
    """From start over top, at the share `rise` of the steps, to end; as torch's OneCycleLR counts."""
    turn = max(rise * steps - 1, 1e-9)
    last = max(steps - 1, 1)

    def at(step: int) -> float:
        if step <= turn:
            return top + (start - top) * _falling(step / turn)
        return end + (top - end) * _falling(min(1.0, (step - turn) / max(last - turn, 1e-9)))

    return at


def momentum(config: ScheduleConfig, *, epochs: int, steps_per_epoch: int) -> Curve | None:
    """The momentum at a step, where the schedule cycles it: down while the rate goes up, and up again."""
    if not isinstance(config, OneCycleConfig) or config.momentum is None:
        return None
    low, high = config.momentum
    warmup = round(config.warmup_epochs * steps_per_epoch)
    cycle = _cycle(config.rise, epochs * steps_per_epoch - warmup, high, low, high)
    return lambda step: high if step < warmup else cycle(step - warmup)


def towards_swa(before: Curve, config: SwaConfig, lr: float, steps_per_epoch: int) -> Curve:
    """`before` until averaging starts; then half a cosine to averaging's own rate, which stays (SWALR)."""
    start = config.start_epoch * steps_per_epoch
    length = config.anneal_epochs * steps_per_epoch
    end = config.lr / lr

    def at(step: int) -> float:
        if step < start:
            return before(step)
        progress = min(1.0, (step - start) / length) if length else 1.0
        return end + (before(start - 1) - end) * _falling(progress)

    return at


class Scheduled(LambdaLR):
    """LambdaLR that sets the momentum (Adam's first beta), too."""

    def __init__(self, optimizer: Optimizer, lr: Curve, momentum: Curve | None) -> None:
        self._momentum = momentum
        super().__init__(optimizer, lr)

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        if self._momentum is None:
            return
        value = self._momentum(self.last_epoch)
        for group in self.optimizer.param_groups:
            if "momentum" in group:
                group["momentum"] = value
            if "betas" in group:
                group["betas"] = (value, *group["betas"][1:])

    def state_dict(self) -> dict[str, Any]:
        """Without the curve, which the configuration gives again."""
        state = super().state_dict()
        del state["_momentum"]
        return state


def schedulers(
    optimizer: Optimizer, config: TrainConfig, *, batches_per_epoch: int, steps_per_epoch: int
) -> list[dict[str, Any]]:
    """What Lightning steps: after every step of the optimiser, or after every validation."""
    if isinstance(config.schedule, PlateauConfig):
        return _plateau(optimizer, config.schedule, batches_per_epoch, steps_per_epoch)
    curve = factor(config.schedule, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
    if isinstance(config.averaging, SwaConfig):
        curve = towards_swa(curve, config.averaging, config.optimizer.lr, steps_per_epoch)
    cycled = momentum(config.schedule, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
    return [{"scheduler": Scheduled(optimizer, curve, cycled), "interval": "step"}]


def _plateau(
    optimizer: Optimizer, config: PlateauConfig, batches_per_epoch: int, steps_per_epoch: int
) -> list[dict[str, Any]]:
    plateau = ReduceLROnPlateau(
        optimizer,
        mode="max" if rises(config.monitor) else "min",
        factor=config.factor,
        patience=config.patience,
        threshold=config.threshold,
        cooldown=config.cooldown,
        min_lr=[group["lr"] * config.final_fraction for group in optimizer.param_groups],
    )
    # by batches and not by epochs: Lightning then steps it after the validation, before the checkpoint
    followed = {
        "scheduler": plateau,
        "interval": "step",
        "frequency": batches_per_epoch,
        "monitor": config.monitor,
    }
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if warmup == 0:
        return [followed]
    rising = LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
    return [{"scheduler": rising, "interval": "step"}, followed]
