"""What of a network is frozen in an epoch: a function of the epoch alone, so a resumed training agrees."""

from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from convoy.config.finetune import FineTuneConfig
from convoy.errors import ConfigError
from convoy.models._layers import layers


def depths(network: nn.Module) -> dict[str, int]:
    """The layer of each parameter of a `Network`, 0 at the input."""
    stacked = enumerate(layers(network.get_submodule("body")))
    found = {f"body.{name}": depth for depth, names in stacked for name in names}
    missing = [name for name, _ in network.named_parameters() if name not in found]
    assert not missing, missing
    return found


def frozen(network: nn.Module, config: FineTuneConfig | None, epoch: int) -> set[str]:
    """Names of the parameters that do not learn in an epoch (from 0).

    Raises:
        ConfigError: a pattern matches no parameter, or nothing is left to learn.
    """
    if config is None or not config.freezes:
        return set()
    names = [name for name, _ in network.named_parameters()]
    if isinstance(config.freeze, list):
        found = {name for pattern in config.freeze for name in _matching(pattern, names)}
    else:
        of = depths(network)
        top = max(of.values())
        count = top if config.freeze == "body" else int(config.freeze)
        if config.unfreeze_every_epochs is not None:
            count -= epoch // config.unfreeze_every_epochs
        found = {name for name in names if of[name] < count}
    if len(found) == len(names):
        raise ConfigError(
            f"all {len(names)} parameters of the network are frozen",
            where="params.yaml: train.fine_tune.freeze",
            fix="freeze less, e.g. freeze: body, which leaves the head",
        )
    return found


def never_trained(network: nn.Module, config: FineTuneConfig | None) -> set[str]:
    """Names of the parameters that learn in no epoch: the optimiser need not know them.

    Raises:
        ConfigError: as `frozen`.
    """
    start = frozen(network, config, 0)
    return set() if config is not None and config.unfreeze_every_epochs is not None else start


def _matching(pattern: str, names: list[str]) -> list[str]:
    found = [name for name in names if fnmatchcase(name.removeprefix("body."), pattern)]
    if not found:
        some = ", ".join(name.removeprefix("body.") for name in names[:3])
        raise ConfigError(
            f"no parameter is called like {pattern!r}",
            where="params.yaml: train.fine_tune.freeze",
            fix=f"`convoy model show` lists the names: {some} …",
        )
    return found


def freeze(network: nn.Module, config: FineTuneConfig, epoch: int) -> set[str]:
    """Let learn what learns in an epoch; the names of what does not."""
    still = frozen(network, config, epoch)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in still)
        if name in still:
            parameter.grad = None
    return still


def apply(network: nn.Module, config: FineTuneConfig, epoch: int) -> None:
    """Let learn what learns in an epoch; the network is in training mode."""
    still = freeze(network, config, epoch)
    for name, module in network.named_modules():
        own = {f"{name}.{inner}" for inner, _ in module.named_parameters(recurse=False)}
        if isinstance(module, _NormBase) and own:
            module.train(not own <= still)
