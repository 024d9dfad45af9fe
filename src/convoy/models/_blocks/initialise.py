"""How the weights of a network begin, where torch's own rule is not wanted."""

from torch import Tensor, nn

from convoy.config.blocks import InitConfig


def initialise(network: nn.Module, config: InitConfig) -> None:
    """Draw the weights of all convolutions and dense layers anew, in place; biases become the constant."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _draw(module.weight, config)
            if config.bias is not None and module.bias is not None:
                nn.init.constant_(module.bias, config.bias)


def _draw(weight: Tensor, config: InitConfig) -> None:
    gain = 1.0 if config.gain is None else config.gain
    match config.weights:
        case "default":
            return
        case "xavier_uniform":
            nn.init.xavier_uniform_(weight, gain)
        case "xavier_normal":
            nn.init.xavier_normal_(weight, gain)
        case "kaiming_uniform":
            nn.init.kaiming_uniform_(weight, mode=config.mode, nonlinearity="relu")
        case "kaiming_normal":
            nn.init.kaiming_normal_(weight, mode=config.mode, nonlinearity="relu")
        case "orthogonal":
            nn.init.orthogonal_(weight, gain)
        case "trunc_normal":
            nn.init.trunc_normal_(weight, std=0.02 if config.std is None else config.std)
