"""Every optimiser against torch's own or its paper's rule, over groups with and without decay."""

import copy
import io
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from convoy.config.optimizer import OptimizerConfig
from convoy.errors import ConfigError
from convoy.training import groups, optimizers

CONFIG: TypeAdapter[OptimizerConfig] = TypeAdapter(OptimizerConfig)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, 6),
        nn.Linear(6, 2),
    )


def made(net: nn.Module, **section: Any) -> torch.optim.Optimizer:
    config = CONFIG.validate_python(section)
    return optimizers.optimizer(config, groups.groups(net, config), head=optimizers.head(net))


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        x = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        net(x).square().sum().backward()
        optimizer.step()


def weights(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


REFERENCES: list[tuple[dict[str, Any], type[torch.optim.Optimizer], dict[str, Any]]] = [
    ({"name": "sgd", "momentum": 0.8}, torch.optim.SGD, {"momentum": 0.8}),
    ({"name": "sgd", "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (
        {"name": "adam", "betas": [0.8, 0.99], "eps": 1e-6},
        torch.optim.Adam,
        {"betas": (0.8, 0.99), "eps": 1e-6},
    ),
    ({"name": "adamw"}, torch.optim.AdamW, {}),
    ({"name": "adagrad", "lr_decay": 0.1}, torch.optim.Adagrad, {"lr_decay": 0.1}),
    (
        {"name": "rmsprop", "alpha": 0.9, "momentum": 0.5, "centered": True},
        torch.optim.RMSprop,
        {"alpha": 0.9, "momentum": 0.5, "centered": True},
    ),
]


@pytest.mark.parametrize(("section", "kind", "arguments"), REFERENCES, ids=lambda value: str(value))
def test_an_optimiser_takes_the_steps_of_torchs_own(
    section: dict[str, Any], kind: type[torch.optim.Optimizer], arguments: dict[str, Any]
) -> None:
    ours, theirs = network(), network()
    descend(ours, made(ours, lr=0.01, weight_decay=0.1, **section), 4)
    plain = [
        {"params": [p for p in theirs.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    descend(theirs, kind(plain, lr=0.01, **arguments), 4)  # type: ignore[call-arg]
    torch.testing.assert_close(weights(ours), weights(theirs))


def test_lion_follows_its_paper() -> None:
    net = network()
    config = {"name": "lion", "lr": 0.01, "weight_decay": 0.1, "betas": [0.9, 0.99]}
    optimizer = made(net, **config)
    momenta = [torch.zeros_like(p) for p in net.parameters()]
    for step in range(4):
        before = weights(net)
        descend(net, optimizer, 1, first=step)
        for number, parameter in enumerate(net.parameters()):
            g = parameter.grad
            assert g is not None
            decay = 0.1 if parameter.ndim >= 2 else 0.0
            update = torch.sign(0.9 * momenta[number] + 0.1 * g)
            expected = before[number] - 0.01 * (update + decay * before[number])
            torch.testing.assert_close(parameter.detach(), expected)
            momenta[number] = 0.99 * momenta[number] + 0.01 * g


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_muon_orthogonalises_hidden_weights_and_leaves_the_rest_to_adamw(
    memory_format: torch.memory_format,
) -> None:
    ours, theirs = network().to(memory_format=memory_format), network().to(memory_format=memory_format)
    optimizer = made(ours, name="muon", lr=0.01, weight_decay=0.1)
    before = weights(ours)
    descend(ours, optimizer, 1)
    rest = [p for p in theirs.parameters() if p.ndim < 2]
    head = list(theirs.parameters())[-2]
    adamw = torch.optim.AdamW(
        [{"params": rest, "weight_decay": 0.0}, {"params": [head], "weight_decay": 0.1}], lr=0.01
    )
    descend(theirs, adamw, 1)
    for parameter, start, other in zip(ours.parameters(), before, theirs.parameters(), strict=True):
        if parameter.ndim < 2 or len(parameter) == 2:
            torch.testing.assert_close(parameter, other)
            continue
        assert parameter.grad is not None
        matrix = nn.Parameter(start.flatten(1).contiguous())
        matrix.grad = parameter.grad.flatten(1).contiguous()
        torch.optim.Muon([matrix], lr=0.01, adjust_lr_fn="match_rms_adamw").step()
        step = (matrix.detach() - start.flatten(1)).abs().max()
        difference = (parameter.detach().flatten(1) - matrix.detach()).abs().max()
        # equal but for the order of the columns, in which its bf16 products are summed
        assert float(difference) <= (0.02 * float(step) if parameter.ndim == 4 else 0.0)


def test_muon_without_a_hidden_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="no hidden weight"):
        made(nn.Linear(3, 2), name="muon", lr=0.01)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad", "rmsprop", "lion", "muon"])
def test_an_optimiser_goes_on_from_its_state_to_the_bit(name: str) -> None:
    whole = network()
    optimizer = made(whole, name=name, lr=0.01, weight_decay=0.1)
    descend(whole, optimizer, 3)
    content = io.BytesIO()
    torch.save({"network": whole.state_dict(), "optimizer": optimizer.state_dict()}, content)
    descend(whole, optimizer, 2, first=3)
    content.seek(0)
    state = torch.load(content, weights_only=True)
    resumed = network()
    again = made(resumed, name=name, lr=0.01, weight_decay=0.1)
    resumed.load_state_dict(state["network"])
    again.load_state_dict(state["optimizer"])
    descend(resumed, again, 2, first=3)
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(whole), strict=True))


@pytest.mark.parametrize("name", ["sgd", "muon"])
def test_a_changed_rate_reaches_every_weight(name: str) -> None:
    net = network()
    optimizer = made(net, name=name, lr=0.01)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(weights(net))
    descend(net, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(weights(net), before, strict=True))


def test_norms_and_biases_decay_only_where_that_is_asked_for() -> None:
    net = network()
    config = {"name": "sgd", "lr": 0.1, "weight_decay": 0.5}
    decays = {p.ndim >= 2: g["weight_decay"] for g in made(net, **config).param_groups for p in g["params"]}
    assert decays == {True: 0.5, False: 0.0}
    [group] = made(net, **config, decay_norms_and_biases=True).param_groups
    assert group["weight_decay"] == 0.5
    assert len(group["params"]) == len(list(net.parameters()))
