"""What can be known to fail before any stage runs: the policy and the network are built once."""

from convoy.config.schema import Config
from convoy.data.augment import Policy
from convoy.training import network


def preflight(config: Config) -> None:
    """Raises:
    ConfigError: albumentations refuses the policy, or the model does not fit the prepared size.
    """
    Policy([{"name": step.name, **step.arguments()} for step in config.augment.transforms])
    spec = config.prepare
    network.build(
        config.model,
        {
            "spec": {"height": spec.height, "width": spec.width, "channels": spec.channels},
            "classes": ["", ""],
            "mean": [0.0] * spec.channels,
            "std": [1.0] * spec.channels,
        },
    )
