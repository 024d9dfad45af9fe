"""Architectures of timm: names, weights from files, a new head, their own normalisation."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from convoy.config.finetune import FineTuneConfig
from convoy.config.model import TimmConfig
from convoy.config.optimizer import SgdConfig
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import sha256_file, write_json
from convoy.models import timm as plugin
from convoy.models._layers import layers
from convoy.models._spec import NetworkSpec
from convoy.training import network
from convoy.training.groups import groups

SPEC = NetworkSpec(3, 64, 64, 2)
PREPROCESSOR = {
    "spec": {"height": 64, "width": 64, "channels": 3}, "classes": ["cat", "dog"],
    "modality": "image", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2],
}  # fmt: skip


def section(**keys: Any) -> TimmConfig:
    return TimmConfig.model_validate({"name": "timm", "architecture": "test_resnet", **keys})


@pytest.fixture
def learned(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """What stands for pretrained weights: of 1,000 classes and three colours."""
    torch.manual_seed(7)
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, tmp_path / "learned.safetensors")
    return tmp_path / "learned.safetensors", state


def test_an_unknown_architecture_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="timm knows no architecture 'resnt18'; did you mean 'resnet18'"):
        plugin.build(section(architecture="resnt18"), SPEC)


def test_unknown_weights_of_a_known_architecture_are_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no weights 'foo' of test_resnet") as caught:
        plugin.build(section(architecture="test_resnet.foo"), SPEC)
    assert "r160_in1k" in caught.value.fix


def test_a_distilled_transformer_begins_with_both_its_heads_fresh() -> None:
    torch.manual_seed(0)
    made = plugin.build(section(architecture="deit_tiny_distilled_patch16_224"), NetworkSpec(3, 32, 32, 2))
    heads = made.get_classifier()
    assert len(heads) == 2
    assert all(head.weight.std() < 0.02 and not head.bias.any() for head in heads)


def test_parameters_of_no_member_belong_to_the_first_layer() -> None:
    made = plugin.build(section(architecture="pit_ti_224"), NetworkSpec(3, 224, 224, 2))
    named = [name for layer in layers(made) for name in layer]
    assert sorted(named) == sorted(name for name, _ in made.named_parameters())
    assert "pos_embed" in layers(made)[0]


def test_weights_from_a_file_keep_the_body_and_get_a_new_head(
    learned: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    path, state = learned
    found = plugin.build(section(weights=str(path), sha256=sha256_file(path)), SPEC).state_dict()
    assert found["fc.weight"].shape[0] == 2
    assert float(found["fc.weight"].std()) == pytest.approx(0.01, rel=0.2)
    assert not found["fc.bias"].any()
    assert all(torch.equal(found[key], state[key]) for key in state if not key.startswith("fc."))


def test_a_file_with_another_number_of_classes_fits_too(tmp_path: Path) -> None:
    state = timm.create_model("test_resnet", num_classes=7).state_dict()
    torch.save(state, tmp_path / "seven.pth")
    keys = {"weights": str(tmp_path / "seven.pth"), "sha256": sha256_file(tmp_path / "seven.pth")}
    found = plugin.build(section(**keys), SPEC).state_dict()
    assert torch.equal(found["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    as_many = plugin.build(section(**keys), NetworkSpec(3, 64, 64, 7)).state_dict()
    assert torch.equal(as_many["fc.weight"], state["fc.weight"])


def test_grey_pictures_get_a_first_convolution_that_adds_up_the_colours(
    learned: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    path, state = learned
    model = plugin.build(section(weights=str(path), sha256=sha256_file(path)), NetworkSpec(1, 64, 64, 2))
    first = next(key for key, value in state.items() if value.ndim == 4)
    torch.testing.assert_close(model.state_dict()[first], state[first].sum(dim=1, keepdim=True))


def test_weights_of_another_architecture_are_refused(learned: tuple[Path, dict[str, torch.Tensor]]) -> None:
    path, _ = learned
    keys = {"architecture": "test_efficientnet", "weights": str(path), "sha256": sha256_file(path)}
    with pytest.raises(ConfigError, match="are not of this architecture"):
        plugin.build(section(**keys), SPEC)


def test_pretrained_networks_are_normalised_as_they_learned_and_fresh_ones_as_the_data_are(
    learned: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    path, _ = learned
    keys = {"weights": str(path), "sha256": sha256_file(path)}
    record = timm.get_pretrained_cfg("test_resnet")
    assert normalised(section(**keys)) == (pytest.approx(record.mean), pytest.approx(record.std))
    own = section(**keys, mean=[0.1, 0.2, 0.3], std=[0.3, 0.2, 0.1])
    assert normalised(own) == (pytest.approx([0.1, 0.2, 0.3]), pytest.approx([0.3, 0.2, 0.1]))
    assert normalised(section()) == (pytest.approx([0.4, 0.5, 0.6]), pytest.approx([0.2, 0.2, 0.2]))


def normalised(config: TimmConfig) -> tuple[list[float], list[float]]:
    net = network.build(config, PREPROCESSOR)
    return net.mean.flatten().tolist(), net.std.flatten().tolist()


def test_grey_pictures_are_normalised_by_the_mean_over_the_colours(
    learned: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    config = section(weights=str(learned[0]), mean=[0.1, 0.2, 0.3], std=[0.2, 0.2, 0.5])
    mean, std = plugin.normalisation(config, NetworkSpec(1, 64, 64, 2)) or ([], [])
    assert (mean, std) == (pytest.approx([0.2]), pytest.approx([0.3]))
    with pytest.raises(ConfigError, match="for 3 channels, the pictures have 4"):
        plugin.normalisation(config, NetworkSpec(4, 64, 64, 2))


def test_a_trained_network_carries_its_normalisation_and_needs_the_file_no_more(
    learned: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    path, _ = learned
    config = section(weights=str(path), sha256=sha256_file(path), mean=[0.1, 0.2, 0.3], std=[0.3, 0.2, 0.1])
    net = network.build(config, PREPROCESSOR).eval()
    write_json(tmp_path / "train" / "training.json", {"model": config.model_dump()})
    save_file(net.state_dict(), tmp_path / "train" / "model.safetensors")
    path.unlink()
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    assert torch.equal(network.load(tmp_path / "train", PREPROCESSOR)(images), net(images))


def test_a_transformer_is_built_for_the_size_of_the_pictures() -> None:
    model = plugin.build(section(architecture="test_vit"), NetworkSpec(3, 96, 64, 2))
    assert model(torch.zeros(1, 3, 96, 64)).shape == (1, 2)
    with pytest.raises(ConfigError, match="test_vit cannot"):
        plugin.build(section(architecture="test_vit"), NetworkSpec(3, 5, 5, 2))


def test_a_transformer_is_not_decayed_where_it_wants_none_and_its_layers_are_timms() -> None:
    config = section(architecture="test_vit")
    net = network.build(config, PREPROCESSOR)
    found = layers(net.body)
    assert found[-1] == ["head.weight", "head.bias"]
    assert "pos_embed" in found[0]
    sgd = SgdConfig(name="sgd", lr=0.1, weight_decay=0.1)
    spared = [p for group in groups(net, sgd) if not group["weight_decay"] for p in group["params"]]
    assert any(p is net.body.pos_embed for p in spared)
    rates = {group["lr"] for group in groups(net, sgd, FineTuneConfig(layer_decay=0.5))}
    assert rates == {0.1 * 0.5**up for up in range(len(found))}


def test_the_hub_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def away(*_: object, **__: object) -> None:
        raise FileNotFoundError("no connection")

    monkeypatch.setattr(timm, "create_model", away)
    with pytest.raises(ResourceError, match="are not in the hub's cache and cannot be fetched") as caught:
        plugin.build(section(architecture="resnet18", weights="hub"), SPEC)
    assert "local file" in caught.value.fix


def test_an_architecture_without_weights_on_the_hub_is_refused() -> None:
    with pytest.raises(ConfigError, match="timm has no weights for botnet50ts_256"):
        plugin.build(section(architecture="botnet50ts_256", weights="hub"), SPEC)


def test_an_option_that_an_architecture_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vgg11 cannot be built so: .*drop_path_rate"):
        plugin.build(section(architecture="vgg11", drop_path=0.1), SPEC)


def test_pictures_that_are_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match="vgg11 cannot take pictures of 8×8"):
        plugin.build(section(architecture="vgg11"), NetworkSpec(3, 8, 8, 2))


def test_a_flipped_byte_in_the_weights_is_noticed(learned: tuple[Path, dict[str, torch.Tensor]]) -> None:
    path, _ = learned
    digest = sha256_file(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        plugin.build(section(weights=str(path), sha256=digest), SPEC)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sha256": "0" * 64}, "sha256 needs weights: a file or package:NAME"),
        ({"weights": "hub", "sha256": "0" * 64}, "sha256 needs weights"),
        ({"weights": "a.pth", "sha256": "xyz"}, "must be 64 hexadecimal digits"),
        ({"weights": "a.pth", "mean": [0.5]}, "mean and std go together"),
        ({"mean": [0.5], "std": [0.5]}, "mean and std need weights"),
    ],
)
def test_keys_that_disagree_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**keys)
