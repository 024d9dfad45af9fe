"""Autoencoders: what they restore, what noise they learn with, and what another model takes from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.config.objective import ReconstructionConfig
from convoy.errors import ConfigError
from convoy.io import sha256_file
from convoy.models._spec import NetworkSpec
from convoy.training import network
from convoy.training.objectives.reconstruction import Reconstruction
from tests.models.sections import CODERS

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
PREPARED: dict[str, Any] = {
    "modality": "image",
    "spec": {"height": 9, "width": 7, "channels": 2},
    "classes": ["error"],
    "mean": [0.2, 0.4],
    "std": [0.3, 0.5],
    "reconstructs": True,
}


def section(name: str, **changes: Any) -> ModelConfig:
    return CONFIG.validate_python({**CODERS[name], **changes})


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("sides", [(28, 28), (33, 40), (5, 7)])
def test_it_gives_its_code_and_every_pixel_from_0_to_1(name: str, sides: tuple[int, int]) -> None:
    config = section(name)
    spec = NetworkSpec(3, *sides, outputs=1, reconstructs=True)
    found = plugins.load("model", name).build(config, spec).eval()(torch.randn(2, 3, *sides))
    assert found.shape == (2, CODERS[name]["code_size"] + 3 * sides[0] * sides[1])
    pixels = found[:, CODERS[name]["code_size"] :]
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_the_network_tells_the_error_in_pixels_from_0_to_1() -> None:
    net = network.build(section("conv_autoencoder"), PREPARED).eval()
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 2), dtype=np.uint8)
    with torch.inference_mode():
        raw = net(torch.from_numpy(images)).numpy()
    pixels = raw[:, -images[0].size :].reshape(4, 2, 9, 7).transpose(0, 2, 3, 1)
    expected = ((pixels - images / 255) ** 2).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(raw[:, 0], expected, rtol=1e-5)


def test_noise_is_on_the_input_alone_and_in_training_alone() -> None:
    net = network.build(section("autoencoder", noise={"gaussian": 0.5, "masking": 0.5}), PREPARED)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 9, 7, 2), dtype=np.uint8))
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(net.train()(images))
    assert torch.equal(states[0], states[1])
    assert not torch.allclose(states[0], states[2])
    assert torch.equal(net.eval()(images), net.eval()(images))
    objective = Reconstruction(ReconstructionConfig(name="reconstruction"))
    target = objective.target({"images": images})
    np.testing.assert_allclose(target.numpy(), images.numpy().transpose(0, 3, 1, 2).reshape(4, -1) / 255)
    outputs = net.eval()(images)
    assert objective.loss(outputs, target).item() == pytest.approx(outputs[:, 0].mean().item(), rel=1e-5)
    measured = objective.measures(outputs, target)
    assert measured["mse"].item() == pytest.approx(outputs[:, 0].sum().item(), rel=1e-5)


def test_masking_hides_pixels_in_all_their_channels() -> None:
    from convoy.config.coder_models import NoiseConfig
    from convoy.models._coding.coder import Corruption

    torch.manual_seed(0)
    found = Corruption(NoiseConfig(masking=0.25)).train()(torch.ones(8, 3, 32, 32))
    assert (found == found[:, :1]).all()
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    net = network.build(section("conv_autoencoder"), PREPARED)
    path = tmp_path / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)
    return path


def test_a_classifier_begins_with_the_encoder_of_an_autoencoder(trained: Path) -> None:
    config = section("conv_autoencoder", weights=str(trained), sha256=sha256_file(trained))
    other = {
        **PREPARED,
        "classes": ["a", "b", "c"],
        "reconstructs": False,
        "mean": [0.9, 0.9],
        "std": [1.0, 1.0],
    }
    classifier = network.build(config, other).eval()
    torch.manual_seed(5)
    coder = network.build(section("conv_autoencoder"), PREPARED).eval()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 9, 7, 2), dtype=np.uint8))
    assert classifier(images).shape == (4, 3)
    size = CODERS["conv_autoencoder"]["code_size"]
    pixels = (images.permute(0, 3, 1, 2) / 255 - classifier.get_buffer("mean")) / classifier.get_buffer("std")
    code = classifier.get_submodule("body.encoder")(pixels)
    torch.testing.assert_close(code, coder(images)[:, 1 : 1 + size])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": [4, 7]}, "is of shape"),
        ({"channels": [4, 6, 8]}, "tensors of an encoder"),
        ({"sha256": None}, "pinned by their digest"),
    ],
)
def test_weights_of_another_encoder_are_refused(trained: Path, changes: dict[str, Any], message: str) -> None:
    keys = {"weights": str(trained), "sha256": sha256_file(trained), **changes}
    with pytest.raises(ConfigError, match=message):
        network.build(section("conv_autoencoder", **keys), {**PREPARED, "reconstructs": False})
