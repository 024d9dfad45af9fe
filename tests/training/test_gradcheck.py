from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from convoy import plugins
from convoy.config.model import CnnConfig, ConvBlock, LeNet5Config
from convoy.config.objective import ClassificationConfig
from convoy.models._spec import NetworkSpec
from convoy.training import gradcheck, penalties
from convoy.training.gradcheck import TOLERANCE, Derivative
from convoy.training.objectives.classification import Classification

PLAIN: dict[str, Any] = {"name": "classification"}


def checked(
    body: nn.Module, objective: dict[str, Any] = PLAIN, side: int = 12, **more: Any
) -> list[Derivative]:
    config: ClassificationConfig = TypeAdapter(ClassificationConfig).validate_python(objective)
    return gradcheck.check(body, Classification(config), (1, side, side), 3, **{"mixed": False, **more})


def small(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3)
    )


@pytest.mark.parametrize(
    "section",
    [
        LeNet5Config(name="lenet5"),
        CnnConfig(
            name="cnn",
            blocks=[
                ConvBlock(channels=3, activation="relu"),
                ConvBlock(channels=4, activation="gelu", pool="avg"),
                ConvBlock(channels=2, activation="silu", norm="none", pool="none", dropout=0.2),
            ],
        ),
    ],
    ids=lambda section: section.name,
)
def test_every_layer_of_a_model_is_checked_and_right(section: Any) -> None:
    torch.manual_seed(0)
    body = plugins.load("model", section.name).build(section, NetworkSpec(1, 12, 12, 3))
    found = checked(body)
    assert all(each.passes(TOLERANCE) for each in found)
    assert all(each.entries >= 2 for each in found)
    missing = {
        repr(module)
        for module in body.modules()
        if not any(module.children()) and not isinstance(module, nn.Dropout | nn.Dropout2d)
    } - {each.what.split(", statistics")[0].split(", fixed")[0] for each in found}
    assert not missing
    by_hand = [each for each in found if each.way == gradcheck.BY_HAND]
    assert [each.wrt for each in by_hand] == ["input", "weight"]


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(inplace=True), nn.LeakyReLU(), nn.ReLU6(), nn.Hardswish(), nn.ELU(), nn.Mish(), nn.Sigmoid(),
        nn.Softmax(1), nn.MaxPool2d(3, 2), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4),
        nn.LayerNorm([4, 10, 10]), nn.Conv2d(4, 4, 3, stride=2, groups=4), nn.PReLU(4), nn.Dropout2d(0.9),
    ],
    ids=str,
)  # fmt: skip
def test_kinks_ties_and_work_in_place_give_no_false_alarm(layer: nn.Module) -> None:
    wrong = [each for each in checked(small(layer)) if not each.passes(TOLERANCE)]
    assert not wrong


def test_batch_normalisation_is_checked_in_both_modes_and_keeps_its_statistics() -> None:
    body = small(nn.BatchNorm2d(4))
    names = {each.what for each in checked(body) if each.what.startswith("BatchNorm2d")}
    assert {name.split(", ", 4)[-1] for name in names} >= {"bias=True, statistics of the batch"} or len(
        names
    ) == 2
    norm = body[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert bool((norm.running_mean == 0).all())  # the network itself is left alone


class Doubled(torch.autograd.Function):
    """y = x², with a derivative that forgets the 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return gradient * x


class Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = Doubled.apply(x)  # type: ignore[no-untyped-call]
        return result


def test_a_wrong_backward_pass_is_found_and_named() -> None:
    wrong = [each for each in checked(small(Wrong())) if not each.passes(TOLERANCE)]
    assert ("Wrong()", "1", "input") in {(each.what, each.place, each.wrt) for each in wrong}
    assert all(each.error > 0.1 for each in wrong)
    assert {each.what for each in wrong} == {"Wrong()", "network and loss"}


LOSSES = ["cross_entropy", "focal", "bce", "mse", "mae", {"name": "smooth_l1", "beta": 0.2}]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_loss_is_right_for_plain_and_mixed_targets(loss: Any) -> None:
    found = checked(small(), {**PLAIN, "loss": loss, "label_smoothing": 0.1}, mixed=True)
    of_loss = [each for each in found if each.what.startswith("loss")]
    assert [each.what for each in of_loss] == ["loss", "loss of mixed samples"]
    assert all(each.passes(TOLERANCE) and each.entries > 4 for each in of_loss)


def test_penalties_are_checked_where_they_are_on() -> None:
    found = checked(small(), penalty=lambda body: penalties.penalty(body, 0.1, 0.2))
    [row] = [each for each in found if each.what == "penalty"]
    assert row.passes(TOLERANCE)


def test_values_are_spread_without_ties_or_zeros() -> None:
    values = gradcheck.spread((2, 3, 5, 7), torch.Generator().manual_seed(0)).flatten()
    assert len(values.unique()) == len(values)
    assert float(values.abs().min()) > 1e-3
    assert float(values.sort().values.diff().min()) > 1e-3
