"""What can be known to fail before any stage runs: policy, network and optimiser are built and tried once."""

import numpy as np

from convoy.config.schema import Config
from convoy.data import presets
from convoy.data.augment import Policy
from convoy.training import network, optimizers
from convoy.training.groups import groups

_TRIED = 4  # pictures of noise that the policy is tried on


def preflight(config: Config) -> None:
    """Raises:
    ConfigError: albumentations refuses the policy, or it, or the model, does not fit the prepared size; or
        the optimiser, or what is to be frozen, does not fit the model.
    ResourceError: the model's pretrained weights, or the package that knows it, are not here.
    """
    spec = config.prepare
    policy = Policy(presets.transforms(config.augment))
    noise = np.random.default_rng(0).integers(
        0, 256, (_TRIED, spec.height, spec.width, spec.channels), dtype=np.uint8
    )
    policy(noise, 0)
    net = network.build(
        config.model,
        {
            "spec": {"height": spec.height, "width": spec.width, "channels": spec.channels},
            "classes": ["", ""],
            "mean": [0.0] * spec.channels,
            "std": [1.0] * spec.channels,
        },
    )
    train = config.train
    optimizers.optimizer(
        train.optimizer, groups(net, train.optimizer, train.fine_tune), head=optimizers.head(net)
    )
