"""What the policies of all modalities but pictures share: steps read from params.yaml, copies on disk.

A modality has a table of its forms, each with the bounds of its arguments. A form takes what of a batch it
changes, which samples it may change, its arguments and a generator of random numbers.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from convoy.config.augment import AugmentConfig
from convoy.data import ragged, store
from convoy.data.loader import Augment, batch_key
from convoy.data.ragged import Offsets
from convoy.data.store import Store
from convoy.errors import ConfigError

Chosen = NDArray[np.bool_]
Random = np.random.Generator
Given = Mapping[str, float]
Form = TypeVar("Form")

_CHUNK = 1024
_WHERE = "params.yaml: augment.transforms"


@dataclass(frozen=True)
class Bound:
    """What an argument may be, and what it is where it is left out."""

    least: float
    most: float
    usual: float
    whole: bool = False

    def refusal(self, value: Any) -> str | None:
        kinds = int if self.whole else int | float
        if not isinstance(value, kinds) or isinstance(value, bool) or not self.least <= value <= self.most:
            kind = "whole number" if self.whole else "number"
            return f"no {kind} from {self.least:g} to {self.most:g}"
        return None


_P = Bound(0, 1, 1)


@dataclass(frozen=True)
class Step(Generic[Form]):
    """A form and its arguments, those that were left out too; `p` is the share of the samples it changes."""

    form: Form
    given: Given


def steps(
    nouns: str,
    forms: Mapping[str, tuple[Form, Mapping[str, Bound]]],
    transforms: Sequence[Mapping[str, Any]],
) -> list[Step[Form]]:
    """The transforms of params.yaml or policy.json.

    Args:
        nouns: what samples are called.
        forms: of each the bounds of its arguments; all take `p`, too.

    Raises:
        ConfigError: a transform or an argument does not exist, or a value is out of its bounds.
    """
    return [_step(nouns, forms, number, spec) for number, spec in enumerate(transforms)]


def drawn(steps: Sequence[Step[Form]], count: int, seed: int) -> Iterator[tuple[Step[Form], Chosen, Random]]:
    """Each step, which of `count` samples it changes, and its own generator of random numbers."""
    for number, step in enumerate(steps):
        random = np.random.Generator(np.random.Philox(key=(seed, number)))
        yield step, random.random(count) < step.given["p"], random


def transforms(config: AugmentConfig) -> list[dict[str, Any]]:
    """As policy.json keeps them."""
    return [{"name": step.name, **step.arguments()} for step in config.transforms]


def copies(training: Store, policy: Augment, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    parts = [
        policy(training[np.arange(at, min(at + _CHUNK, len(training)))], batch_key(config.seed, copy + 1, at))
        for copy in range(config.offline_copies)
        for at in range(0, len(training), _CHUNK)
    ]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    def bounds(name: str) -> Offsets:
        return ragged.offsets(np.concatenate([np.diff(part[ragged.offsets_of(name)]) for part in parts]))

    varying = {name: (joined(name), bounds(name)) for name in training.varying}
    of_varying = {*varying, *map(ragged.offsets_of, varying)}
    folder.mkdir()
    store.finish(
        folder, [], None, {name: joined(name) for name in parts[0] if name not in of_varying}, varying
    )


def _step(
    nouns: str, forms: Mapping[str, tuple[Form, Mapping[str, Bound]]], number: int, spec: Mapping[str, Any]
) -> Step[Form]:
    name = spec["name"]
    where = f"{_WHERE}[{number}] ({name})"
    if name not in forms:
        near = difflib.get_close_matches(name, forms, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{nouns} have no transform {name!r}{hint}", where=where, fix=f"choose: {', '.join(forms)}"
        )
    form, bounds = forms[name]
    known = {**bounds, "p": _P}
    for argument, value in spec.items():
        if argument == "name":
            continue
        if argument not in known:
            takes = ", ".join(known)
            raise ConfigError(f"{name} has no argument {argument!r}", where=where, fix=f"it takes {takes}")
        refused = known[argument].refusal(value)
        if refused is not None:
            raise ConfigError(f"{argument} is {value!r}, {refused}", where=where, fix="mend it")
    return Step(form, {key: float(spec.get(key, bound.usual)) for key, bound in known.items()})
