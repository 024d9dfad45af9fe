"""Each block of `cnn` against its definition; what cannot fit is refused with its index and both shapes."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.blocks import Block, ConvBlock, HeadConfig, InitConfig
from convoy.config.model import CnnConfig
from convoy.errors import ConfigError
from convoy.models import cnn
from convoy.models._blocks.activations import activation
from convoy.models._blocks.convolution import Convolution
from convoy.models._blocks.initialise import initialise
from convoy.models._blocks.norms import norm
from convoy.models._blocks.residual import Residual
from convoy.models._blocks.shape import Place, Shape
from convoy.models._blocks.squeeze_excite import SqueezeExcite
from convoy.models._spec import NetworkSpec
from tests.models.sections import FLAT

PLACE = Place("block 0", "model.blocks[0]")
MAPS = Shape(4, 9, 7)
BLOCK: TypeAdapter[Block] = TypeAdapter(Block)


@pytest.fixture
def maps() -> Tensor:
    return torch.randn(2, 4, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def build(*blocks: dict[str, Any], side: int = 12, **keys: Any) -> nn.Module:
    config = CnnConfig.model_validate({"name": "cnn", "blocks": list(blocks), **keys})
    return cnn.build(config, NetworkSpec(1, side, side, 3))


def test_a_cnn_from_before_there_were_types_has_the_same_names_and_weights() -> None:
    blocks = [{"channels": 4, "repeat": 2}, {"channels": 6, "norm": "none", "pool": "avg", "dropout": 0.1}]
    torch.manual_seed(5)
    new = build(*blocks, dropout=0.2)
    torch.manual_seed(5)
    old = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding="same", bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding="same"), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout2d(0.1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(6, 3),
    )  # fmt: skip
    assert list(new.state_dict()) == list(old.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(new.parameters(), old.parameters(), strict=True))
    images = torch.rand(3, 1, 12, 12)
    assert torch.equal(new.eval()(images), old.eval()(images))


def by_hand(images: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """Convolution without padding, from its definition: sums over windows."""
    x, w = images.numpy(), weight.numpy()
    k = w.shape[2]
    span = dilation * (k - 1) + 1
    height, width = ((side - span) // stride + 1 for side in x.shape[2:])
    out = np.zeros((len(x), len(w), height, width), np.float32)
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            window = x[:, :, top : top + span : dilation, left : left + span : dilation]
            out[:, :, i, j] = np.einsum("nchw,ochw->no", window, w)
    return torch.from_numpy(out)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_a_convolution_is_the_sum_over_its_windows(maps: Tensor, stride: int, dilation: int) -> None:
    layers, after = Convolution(
        5, (3, 3), (stride, stride), "valid", (dilation, dilation), bias=False
    ).layers(MAPS, PLACE)
    answer = nn.Sequential(*layers)(maps)
    assert answer.shape[1:] == (after.channels, after.height, after.width)
    torch.testing.assert_close(answer, by_hand(maps, layers[0].weight.detach(), stride, dilation))


def test_a_depthwise_convolution_gives_each_channel_its_own_kernels(maps: Tensor) -> None:
    layers, _ = Convolution(8, padding="valid", groups=4, bias=False).layers(MAPS, PLACE)
    weight = layers[0].weight.detach()
    parts = [by_hand(maps[:, c : c + 1], weight[2 * c : 2 * c + 2]) for c in range(4)]
    torch.testing.assert_close(layers[0](maps), torch.cat(parts, dim=1))


def test_a_separable_convolution_is_a_depthwise_one_and_a_1x1_one() -> None:
    model = build({**FLAT, "channels": 4, "norm": "none"}, {**FLAT, "channels": 6, "kind": "separable"})
    kernels = [m for m in model if isinstance(m, nn.Conv2d)][1:]
    assert [(m.kernel_size, m.groups, m.out_channels) for m in kernels] == [((3, 3), 4, 4), ((1, 1), 1, 6)]


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, [2, 5]])
@pytest.mark.parametrize("stride", [1, 2, 3, [1, 2]])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_gives_the_side_over_the_stride_rounded_up(
    maps: Tensor, kernel: int | list[int], stride: int | list[int], dilation: int
) -> None:
    block = ConvBlock(channels=2, kernel=kernel, stride=stride, dilation=dilation, pool="none")
    down, across = (stride, stride) if isinstance(stride, int) else stride
    layers, after = cnn._block(block, MAPS, PLACE)
    assert nn.Sequential(*layers)(maps).shape[1:] == (2, after.height, after.width)
    assert (after.height, after.width) == (-(-9 // down), -(-7 // across))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.clamp_min(0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "swish": lambda x: x / (1 + torch.exp(-x)),
    "mish": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
    "elu": lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "softmax": lambda x: torch.exp(x) / torch.exp(x).sum(dim=1, keepdim=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula(maps: Tensor, name: Any) -> None:
    torch.testing.assert_close(nn.Sequential(*activation(name))(maps), ACTIVATIONS[name](maps))


@pytest.mark.parametrize(
    ("name", "view", "over"),
    [
        ("batch", (2, 4, 9, 7), (0, 2, 3)),
        ("layer", (2, 4, 9, 7), (1, 2, 3)),
        ("instance", (2, 4, 9, 7), (2, 3)),
        ("group", (2, 2, 2, 9, 7), (2, 3, 4)),
    ],
)
def test_a_norm_takes_mean_and_deviation_over_its_set(
    maps: Tensor, name: Any, view: tuple[int, ...], over: tuple[int, ...]
) -> None:
    [layer] = norm(name, MAPS, 2, PLACE)
    nn.init.constant_(layer.weight, 3.0)
    nn.init.constant_(layer.bias, 0.5)
    parts = maps.reshape(view)
    spread = (parts.var(dim=over, unbiased=False, keepdim=True) + 1e-5).sqrt()
    wanted = ((parts - parts.mean(dim=over, keepdim=True)) / spread).reshape(maps.shape) * 3.0 + 0.5
    torch.testing.assert_close(layer.train()(maps), wanted)


def test_squeeze_excite_weights_channels_by_their_means(maps: Tensor) -> None:
    layer = SqueezeExcite(4, 0.5)
    means = maps.mean(dim=(2, 3))
    hidden = (means @ layer.squeeze.weight.T + layer.squeeze.bias).clamp_min(0)
    weights = torch.sigmoid(hidden @ layer.excite.weight.T + layer.excite.bias)
    assert hidden.shape == (2, 2)
    torch.testing.assert_close(layer(maps), maps * weights[:, :, None, None])


def test_a_residual_unit_whose_branch_is_silent_gives_its_input_back() -> None:
    for more in ({"pre_activation": True}, {"pre_activation": False, "activation": "none"}):
        block = BLOCK.validate_python({"type": "residual", "channels": 4, "norm": "none", **more})
        [unit], after = cnn._block(block, MAPS, PLACE)
        for parameter in unit.parameters():
            nn.init.zeros_(parameter)
        maps = torch.randn(2, 4, 9, 7)
        assert after == MAPS
        assert torch.equal(unit(maps), maps)


def test_a_residual_unit_is_its_branch_and_its_projection(maps: Tensor) -> None:
    block = BLOCK.validate_python({"type": "residual", "channels": 6, "stride": 2, "norm": "none"})
    [unit], after = cnn._block(block, MAPS, PLACE)
    assert isinstance(unit, Residual)
    assert after == Shape(6, 5, 4)
    [projection] = unit.shortcut
    first, _, second = unit.branch
    inner = functional.conv2d(maps, first.weight, first.bias, stride=2, padding=1).clamp_min(0)
    branch = functional.conv2d(inner, second.weight, second.bias, padding=1)
    shortcut = torch.einsum("nchw,oc->nohw", maps[:, :, ::2, ::2], projection.weight[:, :, 0, 0])
    wanted = (branch + shortcut + projection.bias[:, None, None]).clamp_min(0)
    torch.testing.assert_close(unit(maps), wanted)


def test_pre_activation_puts_norm_and_activation_before_each_convolution() -> None:
    block = BLOCK.validate_python({"type": "residual", "channels": 4, "pre_activation": True})
    [unit], _ = cnn._block(block, MAPS, PLACE)
    kinds = [type(m) for m in unit.branch]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d] * 2


def test_spatial_dropout_drops_whole_channels_and_the_other_single_values() -> None:
    for spatial, wholly in ((True, True), (False, False)):
        block = BLOCK.validate_python({"type": "dropout", "rate": 0.5, "spatial": spatial})
        [layer], _ = cnn._block(block, MAPS, PLACE)
        dropped = layer.train()(torch.ones(8, 16, 5, 5)) == 0
        share = dropped.float().mean(dim=(2, 3))
        assert bool(((share == 0) | (share == 1)).all()) is wholly
        assert 0.3 < dropped.float().mean() < 0.7


def test_a_head_flattens_or_pools_and_has_the_hidden_widths() -> None:
    flat = build(FLAT, head={"pool": "none", "hidden": [8, 5]})
    assert [m.weight.shape for m in flat if isinstance(m, nn.Linear)] == [(8, 4 * 144), (5, 8), (3, 5)]
    pooled = build(FLAT, head={"pool": "max"})
    assert [m.weight.shape for m in pooled if isinstance(m, nn.Linear)] == [(3, 4)]


STATISTICS = {
    # fans of a Conv2d(64, 128, 3): in 576, out 1152
    "xavier_uniform": (2 / (576 + 1152)) ** 0.5,
    "xavier_normal": (2 / (576 + 1152)) ** 0.5,
    "kaiming_uniform": (2 / 576) ** 0.5,
    "kaiming_normal": (2 / 576) ** 0.5,
    "trunc_normal": 0.02,
}


@pytest.mark.parametrize("name", STATISTICS)
def test_weights_begin_with_the_deviation_of_the_papers(name: Any) -> None:
    layer = nn.Conv2d(64, 128, 3)
    initialise(layer, InitConfig(weights=name, bias=0.25))
    assert float(layer.weight.detach().std()) == pytest.approx(STATISTICS[name], rel=0.02)
    assert float(layer.weight.detach().mean().abs()) < 0.002
    assert bool((layer.bias == 0.25).all())


def test_orthogonal_weights_are_orthogonal_and_scaled_by_the_gain() -> None:
    layer = nn.Linear(32, 16)
    initialise(layer, InitConfig(weights="orthogonal", gain=2.0))
    torch.testing.assert_close(layer.weight @ layer.weight.T, 4 * torch.eye(16), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([{"channels": 2}] * 4, r"block 3 pools an image of 1×1: it gets 2×1×1 .* needs at least 2×2×2"),
        (
            [FLAT, {**FLAT, "kernel": 5, "dilation": 3, "padding": "valid"}],
            r"block 1 convolves an image of 8×8: it gets 4×8×8 .* needs at least 4×13×13",
        ),
        (
            [{**FLAT, "channels": 6}, {**FLAT, "channels": 8, "groups": 4}],
            r"block 1 .* 4 groups: it gets 6×8×8",
        ),
        (
            [FLAT, {**FLAT, "channels": 6, "kind": "depthwise"}],
            r"block 1 .*gives 6 channels.* multiples of 4",
        ),
        ([FLAT, {"type": "pool", "size": [9, 1]}], r"block 1 pools .* needs at least 4×9×1"),
        (
            [{"channels": 2, "pool_size": 8}, {**FLAT, "norm": "instance"}],
            r"block 1 .* one pixel: it gets 4×1×1",
        ),
        (
            [FLAT, {"type": "norm_activation", "norm": "group", "norm_groups": 3}],
            r"block 1 .* 3 groups: .*4×8×8",
        ),
    ],
)
def test_a_block_that_cannot_fit_is_named_with_both_shapes(
    blocks: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build(*blocks, side=8)
    index = re.findall(r"block (\d)", message)[0]
    assert caught.value.where.startswith(f"params.yaml: model.blocks[{index}].")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({**FLAT, "norm": "group", "norm_groups": 3}, r"channels \(4\) that norm_groups \(3\) divides"),
        ({**FLAT, "kind": "separable", "groups": 2}, "kind: separable makes its own groups"),
        ({**FLAT, "pool_size": 3}, "pool_size and pool_stride need pool: max or avg"),
        ({**FLAT, "kernel": [3]}, "must be a whole number of at least 1, or two"),
        ({**FLAT, "kernel": True}, "must be a whole number of at least 1, or two"),
        ({**FLAT, "padding": "full"}, "must be same, valid, a whole number of at least 0, or two"),
    ],
)
def test_keys_of_a_block_that_disagree_are_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BLOCK.validate_python(section)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"weights": "kaiming_normal", "gain": 2.0}, "gain is for Xavier"),
        ({"weights": "orthogonal", "std": 0.1}, "std is for weights: trunc_normal"),
        ({"weights": "default", "mode": "fan_out"}, "mode is for Kaiming"),
    ],
)
def test_keys_of_the_initialisation_that_disagree_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        InitConfig.model_validate(keys)


def test_a_section_survives_being_written_down_and_read_again() -> None:
    config = CnnConfig.model_validate({"name": "cnn", "blocks": [FLAT, {"type": "residual", "channels": 4}]})
    assert CnnConfig.model_validate(config.model_dump()) == config
    assert config.head == HeadConfig()
