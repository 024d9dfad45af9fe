import torch
from torch import nn

from convoy.training import penalties


def test_penalties_are_sums_over_weights_and_free_biases() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(-3.0)
    value = penalties.penalty(network, l1=0.1, l2=0.01)
    assert value is not None
    torch.testing.assert_close(value(), torch.tensor(0.1 * 4 * 3 + 0.01 * 4 * 9))
    value().backward()
    layer = network[0]
    assert isinstance(layer, nn.Linear)
    torch.testing.assert_close(layer.weight.grad, torch.full((2, 2), -0.1 - 0.02 * 3))
    assert layer.bias.grad is None
    layer.weight.requires_grad_(False)
    network[1].weight.requires_grad_(False)
    network.append(nn.Linear(1, 1, bias=False).requires_grad_(True))
    with torch.no_grad():
        network[2].weight.fill_(2.0)
    torch.testing.assert_close(value(), torch.tensor(0.1 * 2 + 0.01 * 4))  # what is frozen is free


def test_no_penalty_costs_nothing() -> None:
    assert penalties.penalty(nn.Linear(2, 2), 0.0, 0.0) is None


def test_where_only_vectors_learn_nothing_is_penalised() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    network[0].weight.requires_grad_(False)
    value = penalties.penalty(network, l1=0.0, l2=0.1)
    assert value is not None
    assert float(value()) == 0.0
