"""A small section of params.yaml for every architecture, and more for the options of `cnn`."""

from typing import Any

import pytest

CODERS: dict[str, dict[str, Any]] = {
    "autoencoder": {"name": "autoencoder", "hidden": [24, 12], "code_size": 5},
    "conv_autoencoder": {
        "name": "conv_autoencoder",
        "channels": [4, 6],
        "code_size": 5,
        "noise": {"gaussian": 0.2, "masking": 0.1},
    },
}
SECTIONS: dict[str, dict[str, Any]] = {
    "lenet5": {"name": "lenet5"},
    "mnist_cnn": {"name": "mnist_cnn"},
    "cnn": {
        "name": "cnn",
        "blocks": [{"channels": 4}, {"channels": 8, "repeat": 2, "pool": "avg", "norm": "none"}],
    },
    "vgg": {"name": "vgg", "depth": 8, "width": 4},
    "resnet": {"name": "resnet", "depth": 20, "width": 4},
    "timm": {"name": "timm", "architecture": "test_resnet"},
    **CODERS,
}
TEXTS: dict[str, dict[str, Any]] = {
    "textcnn": {"name": "textcnn", "embedding": {"size": 6}, "filters": 4},
    "cnn1d": {"name": "cnn1d", "embedding": {"size": 6, "channels": "both"}, "channels": [5, 4]},
    "rnn": {"name": "rnn", "embedding": {"size": 6}, "hidden": 4},
    "lstm": {"name": "lstm", "embedding": {"size": 6}, "hidden": 4, "layers": 2},
    "gru": {"name": "gru", "embedding": {"size": 6}, "hidden": 4, "bidirectional": False},
}
SEQUENCES: dict[str, dict[str, Any]] = {
    "fcn": {"name": "fcn", "channels": [6, 8], "kernels": [8, 3]},
    "resnet1d": {"name": "resnet1d", "channels": [4, 6], "kernels": [5, 4]},
    "inceptiontime": {"name": "inceptiontime", "depth": 4, "filters": 3, "kernel": 8, "bottleneck": 4},
    **{
        name: {key: value for key, value in section.items() if key != "embedding"}
        for name, section in TEXTS.items()
        if name != "textcnn"
    },
}
ROWS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": [8, 6], "norm": "layer", "embedding": 3},
}
# What is fitted and not trained in epochs, by modality; each classifier once.
CLASSICAL: dict[str, dict[str, dict[str, Any]]] = {
    "image": {
        "hog": {"name": "hog"},
        "sift": {"name": "sift", "words": 8, "classifier": "ridge"},
        "pixels": {"name": "pixels", "classifier": {"name": "random_forest", "trees": 5}},
    },
    "text": {"tfidf": {"name": "tfidf"}},
    "sequence": {"rocket": {"name": "rocket", "kernels": 40, "classifier": "ridge"}},
    "table": {
        "columns": {
            "name": "columns", "classifier": {"name": "gradient_boosting", "rounds": 5, "min_leaf": 2},
        },
    },
}  # fmt: skip
FLAT: dict[str, Any] = {"channels": 4, "pool": "none"}
_ACTIVATIONS = (
    "none", "relu", "leaky_relu", "sigmoid", "tanh", "silu", "swish", "mish", "elu", "gelu", "softmax",
)  # fmt: skip
_INITS = (
    "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "trunc_normal",
)  # fmt: skip

# name -> blocks of `cnn`
BLOCKS: dict[str, list[dict[str, Any]]] = {
    **{f"activation {name}": [{**FLAT, "activation": name}] for name in _ACTIVATIONS},
    **{
        f"norm {name}": [{**FLAT, "norm": name, "norm_groups": 2}]
        for name in ("none", "batch", "layer", "instance", "group")
    },
    "kernel of two sides": [{**FLAT, "kernel": [3, 5]}],
    "even kernel": [{**FLAT, "kernel": 4}],
    "strided": [{**FLAT, "stride": 2}, {**FLAT, "kernel": 2, "stride": [2, 1]}],
    "valid padding": [{**FLAT, "padding": "valid"}, {**FLAT, "padding": [0, 1]}],
    "dilated": [{**FLAT, "dilation": 2}, {**FLAT, "dilation": [1, 3], "padding": "valid"}],
    "grouped": [FLAT, {**FLAT, "groups": 2}],
    "depthwise": [FLAT, {**FLAT, "channels": 8, "kind": "depthwise"}],
    "separable": [FLAT, {**FLAT, "channels": 6, "kind": "separable", "repeat": 2, "stride": 2}],
    "squeeze-excite": [{**FLAT, "squeeze_excite": 0.5}, {"type": "squeeze_excite", "ratio": 0.25}],
    "pools": [
        {"channels": 4, "pool": "avg", "pool_size": 3, "pool_stride": 2},
        {"type": "pool", "kind": "max", "size": [2, 1]},
        {"type": "pool", "kind": "avg", "size": 3, "stride": 1},
    ],
    "dropout": [
        {**FLAT, "dropout": 0.5},
        {**FLAT, "dropout": 0.5, "spatial_dropout": False},
        {"type": "dropout", "rate": 0.3},
        {"type": "dropout", "rate": 0.3, "spatial": False},
    ],
    "residual": [
        FLAT,
        {"type": "residual", "channels": 4, "repeat": 2},
        {"type": "residual", "channels": 6, "stride": 2, "convolutions": 3, "dropout": 0.1},
    ],
    "residual, pre-activation": [
        FLAT,
        {
            "type": "residual",
            "channels": 8,
            "stride": 2,
            "pre_activation": True,
            "norm": "group",
            "norm_groups": 2,
        },
        {"type": "residual", "channels": 8, "pre_activation": True, "squeeze_excite": 0.5},
        {"type": "norm_activation"},
    ],
}
# Many options in one network each, for what is slow to try.
MIXED: dict[str, list[dict[str, Any]]] = {
    "all activations and norms": BLOCKS["norm layer"] + [
        {**block[0], "channels": 4} for name, block in BLOCKS.items() if name.startswith(("activ", "norm"))
    ],
    "all convolutions": [
        block
        for name in ("kernel of two sides", "even kernel", "valid padding", "dilated", "grouped", "separable")
        for block in BLOCKS[name]
    ] + [{**FLAT, "channels": 12, "kind": "depthwise"}],
    "all blocks": [
        block
        for name in ("pools", "squeeze-excite", "dropout", "residual", "residual, pre-activation")
        for block in BLOCKS[name]
    ],
}  # fmt: skip
# name -> other keys of `cnn`
OPTIONS: dict[str, dict[str, Any]] = {
    "head max": {"head": {"pool": "max"}},
    "head flat and dense": {"head": {"pool": "none", "hidden": [8, 6], "activation": "tanh"}, "dropout": 0.2},
    **{f"init {name}": {"init": {"weights": name, "bias": 0.1}} for name in _INITS},
}
CNNS: dict[str, dict[str, Any]] = {
    **{name: {"name": "cnn", "blocks": blocks} for name, blocks in BLOCKS.items()},
    **{name: {"name": "cnn", "blocks": [FLAT], **keys} for name, keys in OPTIONS.items()},
}


def unrolled(names: dict[str, Any]) -> list[Any]:
    """The names; of recurrent networks, whose export takes ten seconds, `gru` alone is in the fast tests."""
    slow = ("rnn", "lstm")
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]
