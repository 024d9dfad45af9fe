"""What every architecture must do; a new file in convoy/models is tested the day it appears."""

import pytest
import torch
from pydantic import TypeAdapter

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.errors import ConfigError
from convoy.models._spec import NetworkSpec

SECTIONS = {
    "lenet5": {"name": "lenet5"},
    "mnist_cnn": {"name": "mnist_cnn"},
    "cnn": {
        "name": "cnn",
        "blocks": [{"channels": 4}, {"channels": 8, "repeat": 2, "pool": "avg", "norm": "none"}],
    },
}
CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


@pytest.fixture(params=plugins.names("model"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(name: str, spec: NetworkSpec) -> torch.nn.Module:
    module: torch.nn.Module = plugins.load("model", name).build(CONFIG.validate_python(SECTIONS[name]), spec)
    return module


@pytest.mark.parametrize("spec", [NetworkSpec(1, 28, 28, 10), NetworkSpec(3, 33, 40, 2)])
def test_it_maps_images_to_one_logit_an_output(name: str, spec: NetworkSpec) -> None:
    logits = build(name, spec)(torch.zeros(5, spec.channels, spec.height, spec.width))
    assert logits.shape == (5, spec.outputs)


def test_every_weight_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, NetworkSpec(1, 28, 28, 10))
    model(torch.rand(4, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_the_seed_decides_the_weights(name: str) -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(next(build(name, NetworkSpec(1, 28, 28, 10)).parameters()))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_lenet5_has_the_size_of_the_paper() -> None:
    # 61,706 in the paper's fully connected reading: 156 + 2,416 + 48,120 + 10,164 + 850
    model = build("lenet5", NetworkSpec(1, 28, 28, 10))
    assert sum(p.numel() for p in model.parameters()) == 61_706


def test_images_too_small_for_lenet5_are_refused() -> None:
    with pytest.raises(ConfigError, match="lenet5 cannot take images of 8×8"):
        build("lenet5", NetworkSpec(1, 8, 8, 2))


def test_a_block_that_pools_too_much_is_named() -> None:
    section = {"name": "cnn", "blocks": [{"channels": 2}] * 4}
    with pytest.raises(ConfigError, match="block 3 pools an image of 1×1"):
        plugins.load("model", "cnn").build(CONFIG.validate_python(section), NetworkSpec(1, 8, 8, 2))


def test_an_unknown_plugin_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no model is called 'os'") as caught:
        plugins.load("model", "os")
    assert "lenet5" in caught.value.fix
