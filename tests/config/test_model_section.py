"""Sections `model` and `train.fine_tune` as they are read from params.yaml."""

import re
from pathlib import Path

import pytest

from convoy.config.blocks import ConvBlock, ResidualBlock
from convoy.config.load import load
from convoy.config.model import CnnConfig
from convoy.config.schema import Config
from convoy.errors import ConfigError


def read(repository: Path, folder: Path, model: str, fine_tune: str = "null") -> Config:
    text = (repository / "recipes" / "digits.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^model:\n(  .*\n)+", f"model:\n  {model}\n", text)
    text = text.replace("  batch_size: 64\n", f"  batch_size: 64\n  fine_tune: {fine_tune}\n", 1)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    return load(folder / "params.yaml")


def test_a_block_without_a_type_is_a_convolution_as_before(repository: Path, tmp_path: Path) -> None:
    model = read(repository, tmp_path, "name: cnn\n  blocks: [{channels: 8, kernel: 5, pool: avg}]").model
    assert isinstance(model, CnnConfig)
    assert model.blocks == [ConvBlock(channels=8, kernel=5, pool="avg")]
    assert (model.init.weights, model.head.pool, model.head.hidden) == ("default", "avg", [])


def test_blocks_of_all_kinds_stand_in_one_list(repository: Path, tmp_path: Path) -> None:
    model = read(
        repository,
        tmp_path,
        "name: cnn\n  blocks:\n    - {channels: 8, kernel: [3, 5], stride: [2, 1], activation: swish}\n"
        "    - {type: residual, channels: 8}\n    - {type: squeeze_excite}\n    - {type: pool, kind: avg}\n"
        "    - {type: dropout, rate: 0.2}\n    - {type: norm_activation}\n"
        "  init: {weights: orthogonal, gain: 1.4, bias: 0.0}",
    ).model
    assert isinstance(model, CnnConfig)
    assert [block.type for block in model.blocks] == [
        "conv", "residual", "squeeze_excite", "pool", "dropout", "norm_activation",
    ]  # fmt: skip
    assert isinstance(model.blocks[1], ResidualBlock)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "name: cnn\n  blocks: [{channels: 8}, {type: residul, channels: 8}]",
            "model.blocks.1.type: 'residul' is none of conv, residual, pool, squeeze_excite, dropout, "
            "norm_activation; did you mean 'residual'?",
        ),
        (
            "name: cnn\n  blocks: [{type: residual, channels: 8, pre_activaton: true}]",
            "unknown key 'model.blocks.0.pre_activaton'; did you mean 'pre_activation'?",
        ),
        (
            "name: cnn\n  blocks: [{channels: 8, squeze_excite: 0.5}]",
            "unknown key 'model.blocks.0.squeze_excite'; did you mean 'squeeze_excite'?",
        ),
        (
            "name: cnn\n  blocks: [{channels: 8, activation: rleu}]",
            "model.blocks.0.activation: 'rleu' is none of none, relu, leaky_relu, sigmoid, tanh, silu, "
            "swish, mish, elu, gelu, softmax; did you mean 'relu'?",
        ),
        (
            "name: cnn\n  blocks: [{channels: 8, kernel: 0}]",
            "model.blocks.0.kernel: must be a whole number of at least 1, or two: [height, width], not 0",
        ),
        (
            "name: cnn\n  blocks: [{channels: 6, norm: group, norm_groups: 4}]",
            "model.blocks.0: norm: group needs channels (6) that norm_groups (4) divides",
        ),
        (
            "name: resnt",
            "resnet, timm, autoencoder, conv_autoencoder, textcnn, cnn1d, rnn, lstm, gru, fcn, resnet1d, "
            "inceptiontime, mlp, hog, sift, pixels, tfidf, rocket, columns; did you mean 'resnet'?",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(repository: Path, tmp_path: Path, model: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read(repository, tmp_path, model)
    assert re.search(r"1 problem in params\.yaml\n  params\.yaml:\d+:\d+: ", caught.value.what)


def test_freezing_needs_weights_that_were_learned(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fine_tune\.freeze needs model\.weights"):
        read(repository, tmp_path, "name: resnet", "{freeze: body}")
    pretrained = "name: timm\n  architecture: resnet18\n  weights: hub"
    config = read(repository, tmp_path, pretrained, "{freeze: body, unfreeze_every_epochs: 2}")
    assert config.train.fine_tune is not None
    assert config.train.fine_tune.freezes
    assert read(repository, tmp_path, "name: resnet", "{layer_decay: 0.8}").train.fine_tune is not None


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{freeze: head}", "train.fine_tune.freeze: must be none, body, a number of layers from the input"),
        ("{layer_decay: 1.5}", "train.fine_tune.layer_decay: input should be less than or equal to 1"),
        ("{freez: body}", "unknown key 'train.fine_tune.freez'; did you mean 'freeze'?"),
    ],
)
def test_a_mistake_in_fine_tune_is_named(
    repository: Path, tmp_path: Path, section: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        read(repository, tmp_path, "name: lenet5", section)
