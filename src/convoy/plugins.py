"""Plugins: one module a plugin, found by its name inside a known package of convoy, nowhere else.

A modality has a part in each layer that has to know what a sample is (docs/decisions/0014-modalities.md), an
objective one in each that has to know what is learned of it (docs/decisions/0015-objectives.md).
"""

import importlib
import importlib.util
import pkgutil
from types import ModuleType

from convoy.errors import ConfigError

# Package, and the module inside of the plugin's own package where a plugin is several (a package of parts).
PLACES = {
    "source": ("convoy.data.sources", ""),
    "model": ("convoy.models", ""),
    "objective": ("convoy.training.objectives", ""),
    "targets": ("convoy.data.objectives", ""),
    "evaluation": ("convoy.evaluation.objectives", ""),
    "judging": ("convoy.gate.objectives", ""),
    "output": ("convoy.serving.outputs", ""),
    "describing": ("convoy.bundle.objectives", ""),
    "checking": ("convoy.data.modalities", "checking"),
    "preparing": ("convoy.data.modalities", "preparing"),
    "augmenting": ("convoy.data.modalities", "augmenting"),
    "looking": ("convoy.data.modalities", "looking"),
    "batching": ("convoy.data.modalities", "batching"),
    "entry": ("convoy.training.entries", ""),
    "data_view": ("convoy.evaluation.modalities", "data_view"),
    "view": ("convoy.evaluation.modalities", "view"),
    "input": ("convoy.serving.inputs", ""),
    "packing": ("convoy.bundle.packing", ""),
    "scaffold": ("convoy.scaffold.modalities", ""),
}

OF_OBJECTIVES = ("objective", "targets", "evaluation", "judging", "output", "describing")


def names(kind: str) -> list[str]:
    """The plugins of a kind, by name; modules that start with an underscore are none."""
    package, part = PLACES[kind]
    found = [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    return sorted(
        name
        for name in found
        if not name.startswith("_")
        and (not part or importlib.util.find_spec(f"{package}.{name}.{part}") is not None)
    )


def load(kind: str, name: str) -> ModuleType:
    """Import the plugin `name` of `kind`.

    Raises:
        ConfigError: there is no such plugin; the message lists those there are.
    """
    known = names(kind)
    if name not in known:
        raise ConfigError(f"no {kind} is called {name!r}", fix=f"choose one of: {', '.join(known)}")
    package, part = PLACES[kind]
    return importlib.import_module(f"{package}.{name}.{part}".rstrip("."))
