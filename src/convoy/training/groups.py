"""Groups of parameters: which are decayed, and which learn more slowly than others."""

from typing import Any

from torch import nn
from torch.nn import Parameter

from convoy.config.finetune import FineTuneConfig
from convoy.config.optimizer import OptimizerConfig
from convoy.training import finetune


def groups(
    network: nn.Module, optimizer: OptimizerConfig, fine_tune: FineTuneConfig | None = None
) -> list[dict[str, Any]]:
    """torch's groups of parameters, in a fixed order; those that never learn are left out.

    Weight decay spares what has one dimension or none (biases, the scales and shifts of normalisations) and
    what the network itself wants spared (`no_weight_decay`, e.g. embeddings of positions), unless
    `decay_norms_and_biases`. With `layer_decay`, a layer's rate is lr × layer_decay^(layers above it)
    (Clark et al., ELECTRA, 2020).

    Args:
        network: a `training.network.Network`.

    Raises:
        ConfigError: nothing is left to learn.
    """
    left_out = finetune.never_trained(network, fine_tune)
    spared = _spared(network) if optimizer.weight_decay and not optimizer.decay_norms_and_biases else set()
    decay = fine_tune.layer_decay if fine_tune else 1.0
    # torch's fused SGD fails where some parameters of a group begin to learn later than others
    thaws = fine_tune is not None and fine_tune.unfreeze_every_epochs is not None
    depth = finetune.depths(network) if decay != 1.0 or thaws else {}
    top = max(depth.values(), default=0)
    found: dict[tuple[int, bool], list[Parameter]] = {}
    for name, parameter in network.named_parameters():
        if name not in left_out:
            found.setdefault((depth.get(name, top), name in spared), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": optimizer.lr * decay ** (top - layer),
            "weight_decay": 0.0 if is_spared else optimizer.weight_decay,
        }
        for (layer, is_spared), parameters in found.items()
    ]


def _spared(network: nn.Module) -> set[str]:
    asks = getattr(getattr(network, "body", None), "no_weight_decay", None)
    named = {f"body.{name}" for name in asks()} if asks is not None else set()
    return named | {name for name, parameter in network.named_parameters() if parameter.ndim <= 1}
