"""What autoencoders share: noise before the encoder, the code, and what stands above it."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from convoy.config.coder_models import CoderConfig, NoiseConfig
from convoy.errors import ConfigError
from convoy.models import _weights
from convoy.models._spec import NetworkSpec

_ENCODER = "body.encoder."


class Corruption(nn.Module):
    """Denoising (Vincent et al. 2008): samples (N, C, H, W) with noise, in training alone.

    They are normalised: 0 is the training split's mean, which a masked pixel takes in all its channels.
    """

    def __init__(self, config: NoiseConfig) -> None:
        super().__init__()
        self._gaussian, self._masking = config.gaussian, config.masking

    def forward(self, samples: Tensor) -> Tensor:
        if not self.training:
            return samples
        if self._gaussian:
            samples = samples + self._gaussian * torch.randn_like(samples)
        if self._masking:
            samples = samples * (torch.rand_like(samples[:, :1]) >= self._masking)
        return samples


class Coder(nn.Module):
    """Samples (N, C, H, W) -> (N, K + C·H·W): the code, then what the decoder makes of it, from 0 to 1."""

    def __init__(self, noise: nn.Module, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.noise = noise
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, samples: Tensor) -> Tensor:
        code = self.encoder(self.noise(samples))
        return torch.cat([code, self.decoder(code).flatten(1)], dim=1)


def assemble(config: CoderConfig, spec: NetworkSpec, encoder: nn.Module, decoder: nn.Module) -> nn.Module:
    """The autoencoder, or where something else is learned the encoder below a linear layer: (N, outputs).

    Raises:
        ConfigError: the weights are of another encoder, or not pinned.
        IntegrityError: they are not those of the digest, or damaged.
        ResourceError: there is no such file.
    """
    if config.weights is not None and spec.pretrained:
        path, tensors = _read(config)
        inner = {n.removeprefix(_ENCODER): t for n, t in tensors.items() if n.startswith(_ENCODER)}
        encoder.load_state_dict(_fitting(inner, encoder, path))
    noise = Corruption(config.noise)
    if spec.reconstructs:
        return Coder(noise, encoder, decoder)
    head = nn.Linear(config.code_size, spec.outputs)
    return nn.Sequential(OrderedDict([("noise", noise), ("encoder", encoder), ("head", head)]))


def normalisation(config: CoderConfig, spec: NetworkSpec) -> tuple[list[float], list[float]] | None:
    """Mean and deviation by channel that the weights' encoder saw; None for the data's own.

    Raises:
        as `assemble`.
    """
    if config.weights is None or not spec.pretrained:
        return None
    path, tensors = _read(config)
    found = [tensors[name].flatten().tolist() for name in ("mean", "std") if name in tensors]
    if len(found) != 2 or len(found[0]) != spec.channels:
        raise _another(path, f"it was not trained on pictures of {spec.channels} channel(s)")
    mean, std = found
    return mean, std


def _read(config: CoderConfig) -> tuple[Path, dict[str, Tensor]]:
    assert config.weights is not None
    path = _weights.find(config.weights, config.sha256)
    return path, _weights.read(path)


def _fitting(found: dict[str, Tensor], encoder: nn.Module, path: Path) -> dict[str, Tensor]:
    wanted = encoder.state_dict()
    if found.keys() != wanted.keys():
        raise _another(path, f"it has {len(found)} tensors of an encoder, and this one {len(wanted)}")
    for name, tensor in wanted.items():
        if tensor.shape != found[name].shape:
            shapes = f"{tuple(found[name].shape)}, here {tuple(tensor.shape)}"
            raise _another(path, f"{name} is of shape {shapes}")
    return found


def _another(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the weights in {path.name} are not of this encoder: {why}",
        where="params.yaml: model.weights",
        fix="name model.safetensors of an autoencoder with the same section model, and the same prepare",
    )
