"""Plugins: one module a plugin, found by its name inside a known package of convoy, nowhere else."""

import importlib
import pkgutil
from types import ModuleType

from convoy.errors import ConfigError

_PACKAGES = {
    "source": "convoy.data.sources",
    "model": "convoy.models",
    "objective": "convoy.training.objectives",
}


def names(kind: str) -> list[str]:
    """The plugins of a kind, by name; modules that start with an underscore are none."""
    package = importlib.import_module(_PACKAGES[kind])
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """Import the plugin `name` of `kind`.

    Raises:
        ConfigError: there is no such plugin; the message lists those there are.
    """
    known = names(kind)
    if name not in known:
        raise ConfigError(f"no {kind} is called {name!r}", fix=f"choose one of: {', '.join(known)}")
    return importlib.import_module(f"{_PACKAGES[kind]}.{name}")
