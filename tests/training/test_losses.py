"""Every loss against its definition, written out with numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from convoy.config.objective import BceConfig, ClassLoss, SigmoidFocalConfig, ValueLoss
from convoy.training import losses

N, C = 6, 4
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(N, C)) * 2
TARGET = np.array([0, 1, 2, 3, 1, 0])
HARD = np.eye(C)[TARGET]
SOFT = 0.7 * HARD + 0.3 * HARD[::-1]
WEIGHTS = np.array([0.5, 1.0, 2.0, 3.0])

P = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
S = 1 / (1 + np.exp(-LOGITS))
OF_CLASSES: TypeAdapter[ClassLoss] = TypeAdapter(ClassLoss)
OF_VALUES: TypeAdapter[ValueLoss] = TypeAdapter(ValueLoss)


def smooth_l1(x: NDArray[Any], beta: float) -> NDArray[Any]:
    size = np.abs(x)
    return np.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)


def definition(loss: dict[str, Any], y: NDArray[Any], own: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """(N,): y are the targets with smoothing, own without, w the weights of the classes."""
    name = loss["name"]
    if name == "cross_entropy":
        return -(w * y * np.log(P)).sum(1)
    if name == "focal":
        return -(w * y * (1 - P) ** loss["gamma"] * np.log(P)).sum(1)
    each = {
        "bce": lambda: -(y * np.log(S) + (1 - y) * np.log(1 - S)),
        "mse": lambda: (P - y) ** 2,
        "mae": lambda: np.abs(P - y),
        "smooth_l1": lambda: smooth_l1(P - y, loss["beta"]),
    }[name]()
    return each.mean(1) * (own @ w)


LOSSES = [
    {"name": "cross_entropy"},
    {"name": "focal", "gamma": 2.0},
    {"name": "focal", "gamma": 0.5},
    {"name": "bce"},
    {"name": "mse"},
    {"name": "mae"},
    {"name": "smooth_l1", "beta": 0.3},
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_loss_of_classes_follows_its_definition(
    loss: dict[str, Any], kind: str, smoothing: float, weighted: bool
) -> None:
    own = HARD if kind == "indices" else SOFT
    target = torch.tensor(TARGET) if kind == "indices" else torch.tensor(SOFT)
    weights = torch.tensor(WEIGHTS) if weighted else None
    found = losses.of_classes(OF_CLASSES.validate_python(loss))(
        torch.tensor(LOGITS), target, weights, smoothing
    )
    y = (1 - smoothing) * own + smoothing / C
    expected = definition(loss, y, own, WEIGHTS if weighted else np.ones(C))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-7, atol=1e-9)


def test_focal_without_focus_is_cross_entropy() -> None:
    logits, target = torch.tensor(LOGITS), torch.tensor(TARGET)
    found = losses.focal(logits, target, None, 0.0, gamma=0.0)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, target, reduction="none"))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_has_finite_gradients_where_the_answer_is_certain(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    losses.focal(logits, torch.tensor([0, 0]), None, 0.0, gamma=gamma).sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize("loss", ["mse", "mae", {"name": "smooth_l1", "beta": 0.5}], ids=str)
def test_a_loss_of_values_follows_its_definition(loss: Any) -> None:
    config = OF_VALUES.validate_python(loss)
    outputs, target = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(5, 3))
    difference = outputs - target
    expected = {
        "mse": difference**2,
        "mae": np.abs(difference),
        "smooth_l1": smooth_l1(difference, 0.5),
    }[config.name].mean(1)
    found = losses.of_values(config)(torch.tensor(outputs), torch.tensor(target))
    torch.testing.assert_close(found, torch.tensor(expected))


LABELS = (RANDOM.random((N, C)) > 0.5).astype(float)


@pytest.mark.parametrize("positive", [None, WEIGHTS])
def test_multilabel_cross_entropy_weighs_what_holds(positive: NDArray[Any] | None) -> None:
    w = np.ones(C) if positive is None else positive
    expected = -(w * LABELS * np.log(S) + (1 - LABELS) * np.log(1 - S)).mean(1)
    each = losses.of_labels(BceConfig(name="bce"), None if positive is None else torch.tensor(positive))
    torch.testing.assert_close(each(torch.tensor(LOGITS), torch.tensor(LABELS)), torch.tensor(expected))


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_the_focal_loss_of_labels_is_the_papers_fifth_equation(alpha: float | None) -> None:
    p_t = np.where(LABELS == 1, S, 1 - S)
    alpha_t = 1.0 if alpha is None else np.where(LABELS == 1, alpha, 1 - alpha)
    expected = (-alpha_t * (1 - p_t) ** 2.0 * np.log(p_t)).mean(1)
    each = losses.of_labels(SigmoidFocalConfig(name="focal", gamma=2.0, alpha=alpha), None)
    torch.testing.assert_close(each(torch.tensor(LOGITS), torch.tensor(LABELS)), torch.tensor(expected))


def test_half_precision_is_widened_and_double_is_kept() -> None:
    assert losses.wide(torch.ones(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert losses.wide(torch.ones(1, dtype=torch.float64)).dtype == torch.float64
