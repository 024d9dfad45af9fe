"""Every schedule against torch's own scheduler or its formula."""

import math
import warnings
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from convoy.config.regularise import SwaConfig
from convoy.config.schedule import ScheduleConfig
from convoy.training import schedules
from tests.training.fitting import section

STEPS, EPOCHS = 10, 4
CONFIG: TypeAdapter[ScheduleConfig] = TypeAdapter(ScheduleConfig)
ALL = [
    {"name": "fixed"}, {"name": "step"}, {"name": "multi_step", "milestones": [3]}, {"name": "exponential"},
    {"name": "cosine"}, {"name": "cosine_restarts"}, {"name": "one_cycle"}, {"name": "plateau"},
]  # fmt: skip


def factors(epochs: int = EPOCHS, **given: Any) -> list[float]:
    at = schedules.factor(CONFIG.validate_python(given), epochs=epochs, steps_per_epoch=STEPS)
    return [at(step) for step in range(epochs * STEPS)]


def rates(scheduler: Any, optimizer: torch.optim.Optimizer, every: int = 1) -> list[float]:
    """Of torch's scheduler, stepped once in `every` steps of the optimiser."""
    found = []
    for step in range(EPOCHS * STEPS):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return found


def sgd(lr: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, momentum=0.9)


def before_issue_4(name: str, step: int, warmup_epochs: float, epochs: int = EPOCHS) -> float:
    """The rule that fixed, step and cosine had when they were the only ones."""
    warmup = round(warmup_epochs * STEPS)
    rest = max(1, epochs * STEPS - warmup - 1)
    if step < warmup:
        return (step + 1) / warmup
    if name == "step":
        return float(0.5 ** ((step // STEPS) // 2))
    if name == "cosine":
        progress = min(1.0, (step - warmup) / rest)
        fall = (1 + math.cos(math.pi * progress)) / 2
        return 0.01 + (1 - 0.01) * fall
    return 1.0


@pytest.mark.parametrize("warmup", [0.0, 0.25, 1.0, 1.5])
@pytest.mark.parametrize("name", ["fixed", "step", "cosine"])
def test_the_first_schedules_are_to_the_bit_what_they_were(name: str, warmup: float) -> None:
    more = {"step_epochs": 2, "gamma": 0.5} if name == "step" else {}
    found = factors(name=name, warmup_epochs=warmup, **more)
    assert found == [before_issue_4(name, step, warmup) for step in range(EPOCHS * STEPS)]


def test_step_is_torchs() -> None:
    optimizer = sgd()
    theirs = rates(lr_scheduler.StepLR(optimizer, 2, gamma=0.5), optimizer, every=STEPS)
    assert factors(name="step", step_epochs=2, gamma=0.5) == pytest.approx(theirs)


def test_multi_step_is_torchs() -> None:
    optimizer = sgd()
    theirs = rates(lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.3), optimizer, every=STEPS)
    assert factors(name="multi_step", milestones=[1, 3], gamma=0.3) == pytest.approx(theirs)


def test_exponential_is_torchs() -> None:
    optimizer = sgd()
    theirs = rates(lr_scheduler.ExponentialLR(optimizer, 0.7), optimizer, every=STEPS)
    assert factors(name="exponential", gamma=0.7) == pytest.approx(theirs)


def test_cosine_is_torchs() -> None:
    optimizer = sgd()
    theirs = rates(lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * STEPS - 1, eta_min=0.1), optimizer)
    assert factors(name="cosine", final_fraction=0.1) == pytest.approx(theirs)


@pytest.mark.parametrize("growth", [1, 2])
def test_cosine_with_restarts_is_torchs(growth: int) -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, STEPS, T_mult=growth, eta_min=0.1)
    theirs = rates(scheduler, optimizer)
    ours = factors(name="cosine_restarts", first_epochs=1, growth=growth, final_fraction=0.1)
    assert ours == pytest.approx(theirs)


def test_one_cycle_is_torchs_in_rate_and_momentum() -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=EPOCHS * STEPS)
    lrs, momenta = [], []
    for step in range(EPOCHS * STEPS):
        lrs.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if step + 1 < EPOCHS * STEPS:
            scheduler.step()
    config = CONFIG.validate_python({"name": "one_cycle"})
    cycle = schedules.momentum(config, epochs=EPOCHS, steps_per_epoch=STEPS)
    assert cycle is not None
    assert factors(name="one_cycle") == pytest.approx(lrs)
    assert [cycle(step) for step in range(EPOCHS * STEPS)] == pytest.approx(momenta)


@pytest.mark.parametrize("given", ALL[:-1], ids=str)
def test_warm_up_is_linear_before_any_schedule(given: dict[str, Any]) -> None:
    values = factors(warmup_epochs=1.0, **given)
    top = 0.04 if given["name"] == "one_cycle" else 1.0
    assert values[:STEPS] == pytest.approx([top * (n + 1) / STEPS for n in range(STEPS)])
    assert values[STEPS] == pytest.approx(top)


def plateau_rates(values: list[float], **given: Any) -> list[float]:
    """The rate at each step of a training whose epochs end with these values."""
    config = section(epochs=len(values), schedule=CONFIG.validate_python({"name": "plateau", **given}))
    optimizer = sgd()
    parts = schedules.schedulers(optimizer, config, batches_per_epoch=STEPS, steps_per_epoch=STEPS)
    followed = parts[-1]
    assert followed["frequency"] == STEPS
    found = []
    for value in values:
        for _ in range(STEPS):
            found.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            for part in parts[:-1]:
                part["scheduler"].step()
        followed["scheduler"].step(value)
    return found


def test_plateau_cuts_after_its_patience_and_not_below_its_end() -> None:
    losses = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    found = plateau_rates(losses, factor=0.5, patience=1, final_fraction=0.4)[::STEPS]
    assert found == pytest.approx([1, 1, 1, 1, 0.5, 0.5, 0.4])


def test_plateau_knows_which_way_accuracy_goes() -> None:
    found = plateau_rates([0.1, 0.5, 0.9, 0.9], monitor="val_accuracy", factor=0.5, patience=0)[::STEPS]
    assert found == pytest.approx([1, 1, 1, 1])
    assert plateau_rates([0.9, 0.5, 0.1], monitor="val_accuracy", factor=0.5, patience=0)[-1] == 0.5


def test_warm_up_before_plateau_is_linear_and_forgets_no_cut() -> None:
    found = plateau_rates([1.0, 2.0, 3.0], warmup_epochs=1.5, factor=0.5, patience=0)
    rising = [(n + 1) / 15 for n in range(10)]
    assert found[:10] == pytest.approx(rising)
    assert found[14] == pytest.approx(1.0)
    assert found[20] == pytest.approx(0.5)  # cut after the second epoch


def test_the_way_to_averaging_is_torchs_swa_rate() -> None:
    optimizer = sgd(lr=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = rates(SWALR(optimizer, swa_lr=0.1, anneal_epochs=STEPS, anneal_strategy="cos"), optimizer)
    config = SwaConfig(name="swa", start_epoch=1, lr=0.1, anneal_epochs=1)
    at = schedules.towards_swa(lambda _step: 1.0, config, 0.5, STEPS)
    ours = [0.5 * at(step) for step in range(STEPS, STEPS + EPOCHS * STEPS)]
    assert ours == pytest.approx(theirs)
    assert at(0) == at(STEPS - 1) == 1.0
