"""What can be known to fail before any stage runs: policy, network and optimiser are built and tried once."""

from convoy import plugins
from convoy.config.model import fitted
from convoy.config.schema import Config
from convoy.training import network, optimizers
from convoy.training.groups import groups


def preflight(config: Config) -> None:
    """Raises:
    ConfigError: the policy is refused, or it, or the model, does not fit the prepared samples; or the
        optimiser, or what is to be frozen, does not fit the model.
    ResourceError: the model's pretrained weights, or the package that knows it, are not here.
    """
    modality = config.data.modality
    plugins.load("augmenting", modality).trial(config.augment, config.prepare)
    net = network.build(config.model, plugins.load("preparing", modality).stand_in(config.prepare, ["", ""]))
    if fitted(config.model):
        return  # without an optimiser
    train = config.train
    optimizers.optimizer(
        train.optimizer, groups(net, train.optimizer, train.fine_tune), head=optimizers.head(net)
    )
