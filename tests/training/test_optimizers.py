import math

import pytest
import torch

from convoy.config.train import AdamConfig, ScheduleConfig, SgdConfig
from convoy.training import optim

STEPS = 10  # in an epoch


def factors(epochs: int = 4, **section: object) -> list[float]:
    at = optim.factor(ScheduleConfig(**section), epochs=epochs, steps_per_epoch=STEPS)  # type: ignore[arg-type]
    return [at(step) for step in range(epochs * STEPS)]


def test_fixed_stays_at_one() -> None:
    assert set(factors(name="fixed")) == {1.0}


def test_step_cuts_by_gamma_at_the_epochs_asked_for() -> None:
    values = factors(name="step", step_epochs=2, gamma=0.5)
    assert values == [1.0] * 20 + [0.5] * 20


def test_cosine_follows_its_formula_and_ends_at_the_final_fraction() -> None:
    values = factors(name="cosine", final_fraction=0.1)
    assert values[0] == 1.0
    assert values[-1] == pytest.approx(0.1)
    for step in range(40):
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * step / 39)) / 2
        assert values[step] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["fixed", "step", "cosine"])
def test_warm_up_is_linear_before_any_schedule(name: str) -> None:
    values = factors(name=name, warmup_epochs=1.0)
    assert values[:STEPS] == pytest.approx([(n + 1) / STEPS for n in range(STEPS)])
    assert values[STEPS] == pytest.approx(1.0)


def test_the_optimisers_get_their_settings() -> None:
    weights = [torch.nn.Parameter(torch.ones(1))]
    sgd = optim.optimizer(SgdConfig(name="sgd", lr=0.1, momentum=0.8, nesterov=True), weights)
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.8, True)
    adamw = optim.optimizer(AdamConfig(name="adamw", lr=0.1, weight_decay=0.3), weights)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["weight_decay"] == 0.3
    assert type(optim.optimizer(AdamConfig(name="adam", lr=0.1), weights)) is torch.optim.Adam
