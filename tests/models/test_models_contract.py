"""What every architecture must do; a new file in convoy/models is tested the day it appears.

So must every option of `cnn`.
"""

import sys
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.errors import ConfigError, ResourceError
from convoy.models._layers import layers
from convoy.models._spec import NetworkSpec
from tests.models.sections import CNNS, SECTIONS

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
GREY = NetworkSpec(1, 28, 28, 10)
CASES = SECTIONS | CNNS


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(name: str, spec: NetworkSpec) -> torch.nn.Module:
    config = CONFIG.validate_python(CASES[name])
    module: torch.nn.Module = plugins.load("model", config.name).build(config, spec)
    return module


@pytest.mark.parametrize("spec", [GREY, NetworkSpec(3, 33, 40, 2)], ids=["grey", "colour"])
def test_it_maps_images_to_one_logit_an_output(name: str, spec: NetworkSpec) -> None:
    logits = build(name, spec)(torch.zeros(5, spec.channels, spec.height, spec.width))
    assert logits.shape == (5, spec.outputs)


def test_every_weight_gets_a_gradient_and_the_first_ones_move(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, GREY).train()
    model(torch.rand(8, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert next(model.parameters()).grad.abs().sum() > 0


def test_the_seed_decides_the_weights(name: str) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([p.detach().flatten() for p in build(name, GREY).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_its_weights_can_be_saved_and_put_into_a_fresh_one(name: str) -> None:
    first, second = build(name, GREY).eval(), build(name, GREY).eval()
    second.load_state_dict(first.state_dict())
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(first(images), second(images))


def test_every_parameter_is_in_one_layer_and_the_last_layer_is_the_head(name: str) -> None:
    model = build(name, GREY)
    found = layers(model)
    assert sorted(n for names in found for n in names) == sorted(n for n, _ in model.named_parameters())
    heads = [p for n, p in model.named_parameters() if n in found[-1]]
    assert {p.shape[0] for p in heads} == {10}


def test_lenet5_has_the_size_of_the_paper() -> None:
    # 61,706 in the paper's fully connected reading: 156 + 2,416 + 48,120 + 10,164 + 850
    assert parameters("lenet5", GREY) == 61_706


def parameters(name: str, spec: NetworkSpec, **changes: object) -> int:
    config = CONFIG.validate_python({**SECTIONS[name], **changes})
    return sum(p.numel() for p in plugins.load("model", name).build(config, spec).parameters())


@pytest.mark.parametrize(
    ("section", "count"),
    [
        # the paper's 0.27 M (269,722), and two projections with their norms
        ({"name": "resnet", "depth": 20, "width": None}, 269_722 + 2_752),
        # torchvision's 11,689,512, with a 3×3 stem in place of the 7×7 one and 10 outputs
        ({"name": "resnet", "depth": 18, "width": None}, 11_689_512 - 64 * 3 * (49 - 9) - 513 * 990),
        # torchvision's vgg11_bn: 9,225,984 before its dense layers, less the biases that norms make needless
        ({"name": "vgg", "depth": 11, "width": 64}, 9_225_984 - 2_752 + 513 * 10),
    ],
    ids=["resnet20", "resnet18", "vgg11"],
)
def test_the_networks_for_small_images_have_their_known_sizes(section: dict[str, Any], count: int) -> None:
    assert parameters(spec=NetworkSpec(3, 32, 32, 10), **section) == count


def test_images_too_small_for_lenet5_are_refused() -> None:
    with pytest.raises(ConfigError, match="lenet5 cannot take images of 8×8"):
        build("lenet5", NetworkSpec(1, 8, 8, 2))


def test_an_unknown_plugin_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no model is called 'os'") as caught:
        plugins.load("model", "os")
    assert "lenet5" in caught.value.fix


def test_without_timm_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ResourceError, match="timm is not installed"):
        build("timm", GREY)
