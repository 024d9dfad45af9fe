"""Every image architecture of timm by name, fresh or pretrained: R. Wightman, PyTorch Image Models, 2019.

The pretrained head is exchanged for one with the wanted outputs, the first convolution is adapted to the
number of channels, and embeddings of positions to the size of the pictures, all by timm itself.
"""

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from convoy.config.model import TimmConfig
from convoy.errors import ConfigError, ResourceError
from convoy.models import _weights
from convoy.models._spec import NetworkSpec

_WHERE = "params.yaml: model.architecture"
_HEAD_STD = 0.01


def build(config: TimmConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs).

    Raises:
        ConfigError: timm does not know the architecture, or it does not fit the pictures or the weights.
        IntegrityError: the weights are not those of the digest.
        ResourceError: timm or the weights are not here.
    """
    timm = _timm()
    _check_name(timm, config.architecture)
    arguments: dict[str, Any] = {
        "num_classes": spec.outputs,
        "in_chans": spec.channels,
        "drop_rate": config.dropout,
        **({"drop_path_rate": config.drop_path} if config.drop_path else {}),
        **_size(timm, config.architecture, spec),
    }
    known = 0
    if config.weights is None or not spec.pretrained:
        network = _made(timm, config, arguments)
    elif config.weights == "hub":
        network, known = _from_hub(timm, config, arguments)
    else:
        network, known = _from_file(timm, config, arguments)
    if known != spec.outputs:
        _begin_head(network)
    _try(network, config, spec)
    return network


def normalisation(config: TimmConfig, spec: NetworkSpec) -> tuple[list[float], list[float]] | None:
    """Mean and deviation of pixels / 255 by channel that the weights want; None for the data's own.

    Grey pictures get the mean over the colours.
    """
    if config.weights is None or not spec.pretrained:
        return None
    if config.mean is not None and config.std is not None:
        mean, std = list(config.mean), list(config.std)
    else:
        record = _record(_timm(), config.architecture)
        mean, std = list(record.mean), list(record.std)
    if len(mean) != spec.channels and spec.channels == 1:
        return [sum(mean) / len(mean)], [sum(std) / len(std)]
    if not len(mean) == len(std) == spec.channels:
        raise ConfigError(
            f"the weights are for {len(mean)} channels, the pictures have {spec.channels}",
            where="params.yaml: model.mean, model.std, prepare.channels",
            fix=f"give {spec.channels} numbers, or prepare pictures of {len(mean)} channels",
        )
    return mean, std


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ResourceError(
            "timm is not installed",
            where="params.yaml: model.name",
            fix='pip install "convoy[pipeline]", or choose a model of convoy\'s own',
        ) from None
    return timm


def _check_name(timm: Any, name: str) -> None:
    base = name.partition(".")[0]
    if not timm.is_model(base):
        near = difflib.get_close_matches(base, timm.list_models(), n=1, cutoff=0.5)
        raise ConfigError(
            f"timm knows no architecture {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where=_WHERE,
            fix="python -c \"import timm; print(timm.list_models('*net*'))\" lists those that match",
        )
    try:
        _record(timm, name)
    except RuntimeError:
        known = [each.partition(".")[2] for each in timm.list_pretrained(f"{base}.*")]
        raise ConfigError(
            f"timm has no weights {name.partition('.')[2]!r} of {base}",
            where=_WHERE,
            fix=f"choose one of: {', '.join(known)}" if known else f"write {base}",
        ) from None


def _record(timm: Any, name: str) -> Any:
    """timm's record of an architecture's weights: mean, std, input size, names of the head's layers."""
    return timm.get_pretrained_cfg(name)


def _size(timm: Any, name: str, spec: NetworkSpec) -> dict[str, Any]:
    """The size of the pictures, for architectures that are built for one."""
    record = _record(timm, name)
    return {"img_size": (spec.height, spec.width)} if record is not None and record.fixed_input_size else {}


def _made(timm: Any, config: TimmConfig, arguments: dict[str, Any], **more: Any) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(config.architecture, **arguments, **more)
    except (TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"{config.architecture} cannot be built so: {error}",
            where=_WHERE,
            fix="leave out model.drop_path, or prepare pictures of a size that it can take",
        ) from None
    return network


def _from_hub(timm: Any, config: TimmConfig, arguments: dict[str, Any]) -> tuple[nn.Module, int]:
    """The network, and the number of classes that its weights know."""
    if not timm.is_model_pretrained(config.architecture):
        raise ConfigError(
            f"timm has no weights for {config.architecture}", where=_WHERE, fix="set weights: null, or a file"
        )
    try:
        network = _made(timm, config, arguments, pretrained=True)
    except (OSError, RuntimeError) as error:
        raise ResourceError(
            f"the weights of {config.architecture} are not in the hub's cache and cannot be fetched",
            where=f"params.yaml: model.weights: {str(error).splitlines()[0]}",
            fix="run once where there is a network, and bring ~/.cache/huggingface; or name a local "
            "file in model.weights",
        ) from None
    return network, _record(timm, config.architecture).num_classes


def _from_file(timm: Any, config: TimmConfig, arguments: dict[str, Any]) -> tuple[nn.Module, int]:
    """The network, and the number of classes that its weights know."""
    assert config.weights is not None
    path = _weights.find(config.weights, config.sha256)
    found = _weights.read(path)
    record = _record(timm, config.architecture)
    head = record.classifier if record is not None and isinstance(record.classifier, str) else None
    classes = found[f"{head}.weight"].shape[0] if f"{head}.weight" in found else record.num_classes
    native = timm.create_model(config.architecture, num_classes=classes)
    tensors: dict[str, Tensor] = _weights.fit(found, native.state_dict(), path)
    overlay = {"state_dict": tensors, "num_classes": classes}
    try:
        network = _made(timm, config, arguments, pretrained=True, pretrained_cfg_overlay=overlay)
    except RuntimeError as error:
        raise ConfigError(
            f"the weights in {path.name} do not fit {config.architecture}",
            where=f"params.yaml: model.weights: {str(error).splitlines()[-1].strip()}",
            fix="name the architecture that the weights were trained with",
        ) from None
    return network, int(classes)


def _begin_head(network: Any) -> None:
    """Draw a fresh head from N(0, 0.01²), biases 0, as torchvision begins its classifiers.

    Some of timm's own begin with weights so large, where classes are few, that the first steps spoil what the
    body knows.
    """
    heads = network.get_classifier()
    each = heads if isinstance(heads, tuple) else (heads,)  # distilled ones have two
    for module in (module for head in each for module in head.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=_HEAD_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _try(network: nn.Module, config: TimmConfig, spec: NetworkSpec) -> None:
    """Whether the network takes such pictures at all, found on shapes alone."""
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, spec.height, spec.width))
    except (RuntimeError, AssertionError, ValueError) as error:
        record = _record(_timm(), config.architecture)
        wanted = "×".join(map(str, record.input_size[1:])) if record is not None else "other sizes"
        raise ConfigError(
            f"{config.architecture} cannot take pictures of {spec.height}×{spec.width}: {error}",
            where="params.yaml: model.architecture, prepare.height, prepare.width",
            fix=f"prepare larger pictures; it was designed for {wanted}",
        ) from None
    finally:
        network.train(was_training)
