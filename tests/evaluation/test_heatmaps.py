from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from convoy.config.model import ModelConfig
from convoy.evaluation.heatmaps import grad_cam, last_convolution
from convoy.training import network
from tests import toys

PREPROCESSOR = {
    "spec": {"height": 28, "width": 28, "channels": 3},
    "classes": ["a", "b", "c"],
    "modality": "image",
    "mean": [0.4] * 3,
    "std": [0.25] * 3,
}
BLOCK = {
    "channels": 4, "kernel": 3, "repeat": 1, "norm": "batch", "activation": "relu", "pool": "max",
}  # fmt: skip
MODELS: list[dict[str, Any]] = [
    {"name": "lenet5"},
    {"name": "mnist_cnn", "dropout": 0.5},
    {"name": "cnn", "dropout": 0.1, "blocks": [BLOCK, BLOCK]},
]


def build(section: dict[str, Any]) -> network.Network:
    torch.manual_seed(0)
    return network.build(TypeAdapter(ModelConfig).validate_python(section), PREPROCESSOR)


@pytest.mark.parametrize("section", MODELS, ids=lambda section: section["name"])
def test_every_network_says_where_it_looked(section: dict[str, Any]) -> None:
    images = toys.images(5, side=28, channels=3)
    made = build(section)
    heat = grad_cam(made, images, np.array([0, 1, 2, 0, 1]))
    assert heat.shape == (5, 28, 28)
    assert heat.dtype == np.float32
    assert heat.min() >= 0.0
    assert heat.max() <= 1.0
    assert heat.max(axis=(1, 2)).max() > 0.5
    assert (grad_cam(made, images, np.array([0, 1, 2, 0, 1])) == heat).all()


def test_the_network_is_left_as_it_was() -> None:
    made = build(MODELS[2]).train()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    grad_cam(made, toys.images(2, side=28, channels=3), np.array([0, 1]))
    assert made.training
    assert all((value == before[name]).all() for name, value in made.state_dict().items())
    assert all(parameter.grad is None for parameter in made.parameters())


class Corners(nn.Module):
    """Class 0: brightness of the upper left quarter, class 1 of the lower right; class 2: minus class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.convolution.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.convolution(images.permute(0, 3, 1, 2).float())[:, 0]
        half = seen.shape[1] // 2
        upper, lower = seen[:, :half, :half].mean(dim=(1, 2)), seen[:, half:, half:].mean(dim=(1, 2))
        return torch.stack([upper, lower, -lower], dim=1)


def test_the_heat_lies_where_the_evidence_for_the_class_is() -> None:
    images = np.full((3, 8, 8, 1), 100, np.uint8)
    heat = grad_cam(Corners(), images, np.array([0, 1, 2]))
    assert (heat[0, :4, :4] == 1).all()
    assert heat[0].sum() == 16
    assert (heat[1, 4:, 4:] == 1).all()
    assert heat[1].sum() == 16
    assert (heat[2] == 0).all()  # everything speaks against it


def test_each_picture_has_the_heat_that_it_has_alone() -> None:
    images = toys.images(40, side=28, channels=3)  # more than one batch
    classes = np.arange(40) % 3
    made = build(MODELS[0])
    together = grad_cam(made, images, classes)
    for number in (0, 31, 32, 39):
        alone = grad_cam(made, images[number : number + 1], classes[number : number + 1])
        np.testing.assert_allclose(together[number], alone[0], atol=1e-4)


class Pooled(nn.Module):
    """Ends in a convolution over a single place, as many mobile networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 2, 3, padding=1)
        self.head = nn.Conv2d(2, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.body(images.permute(0, 3, 1, 2).float())
        scores: torch.Tensor = self.head(seen.mean(dim=(2, 3), keepdim=True)).flatten(1)
        return scores


def test_a_convolution_over_a_single_place_knows_no_where() -> None:
    net = Pooled()
    assert last_convolution(net, np.zeros((1, 8, 8, 1), np.uint8)) is net.body


def test_a_network_without_a_convolution_has_no_heat() -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    assert not grad_cam(dense, np.ones((2, 8, 8, 1), np.uint8), np.array([0, 1])).any()


def test_no_pictures_give_no_maps() -> None:
    assert grad_cam(build(MODELS[0]), np.zeros((0, 28, 28, 3), np.uint8), np.zeros(0, int)).shape == (
        0,
        28,
        28,
    )
