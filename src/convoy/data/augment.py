"""An albumentations policy from params.yaml: checked by name and argument, applied to whole batches.

The commonest transforms have a batch form (`convoy.data.batched`); the others are albumentations' own, image
by image.
"""

import difflib
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import albumentations
import numpy as np
from numpy.typing import NDArray

from convoy.data import batched
from convoy.errors import ConfigError

Images = NDArray[np.uint8]
Spec = Mapping[str, Any]  # {"name": …, argument: value, …}


class Policy:
    """A sequence of albumentations transforms.

    Raises:
        ConfigError: a transform or an argument does not exist, or albumentations refuses a value.
    """

    def __init__(self, transforms: Sequence[Spec]) -> None:
        self.specs = [dict(spec) for spec in transforms]
        built = [_build(number, spec) for number, spec in enumerate(self.specs)]
        self._steps = [batched.of(transform) or _PerImage(transform) for transform in built]

    def __call__(self, images: Images, seed: int) -> Images:
        """Augment a batch.

        Args:
            images: (B, H, W, C) uint8, not changed.
            seed: the whole batch's; the same seed and batch give the same result.

        Returns:
            (B, H, W, C) uint8.

        Raises:
            ConfigError: a transform changed the size or the type of the images.
        """
        for number, step in enumerate(self._steps):
            images = step(images, np.random.Generator(np.random.Philox(key=(seed, number))))
        return images


class _PerImage:
    """One transform as albumentations runs it, applied to the images of a batch in turn."""

    def __init__(self, transform: albumentations.BasicTransform) -> None:
        self._compose = albumentations.Compose([transform], seed=0)

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        self._compose.set_random_seed(int(random.integers(2**31)))
        result = np.empty_like(images)
        for number, image in enumerate(images):
            changed = self._compose(image=image)["image"]
            if changed.ndim == 2:
                changed = changed[:, :, None]
            if changed.shape != image.shape or changed.dtype != np.uint8:
                before, after = f"{image.shape} {image.dtype}", f"{changed.shape} {changed.dtype}"
                raise ConfigError(
                    f"the augmentation turns {before} into {after}",
                    where="params.yaml: augment.transforms",
                    fix="leave out transforms that resize, crop to another size or normalise",
                )
            result[number] = changed
        return result


def _available() -> dict[str, type[albumentations.BasicTransform]]:
    """The transforms that albumentations exports, by class name."""
    found = {}
    for name in dir(albumentations):
        value = getattr(albumentations, name)
        if (
            inspect.isclass(value)
            and issubclass(value, albumentations.ImageOnlyTransform | albumentations.DualTransform)
            and value not in (albumentations.ImageOnlyTransform, albumentations.DualTransform)
        ):
            found[name] = value
    return found


def _build(number: int, spec: Spec) -> albumentations.BasicTransform:
    arguments = {key: value for key, value in spec.items() if key != "name"}
    where = f"params.yaml: augment.transforms[{number}] ({spec['name']})"
    available = _available()
    transform = available.get(spec["name"])
    if transform is None:
        raise ConfigError(
            f"albumentations has no transform {spec['name']!r}{_suggest(spec['name'], available)}",
            where=where,
            fix="its class names are listed in albumentations' documentation",
        )
    known = [name for name in inspect.signature(transform.__init__).parameters if name != "self"]
    for key in arguments:
        if key not in known:
            raise ConfigError(
                f"{spec['name']} has no argument {key!r}{_suggest(key, known)}",
                where=where,
                fix=f"its arguments are: {', '.join(known)}",
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return transform(**{key: _tuples(value) for key, value in arguments.items()})
    except (ValueError, TypeError, UserWarning) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{spec['name']} refuses its arguments: {reason}", where=where) from None


def _suggest(given: str, choices: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(given, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _tuples(value: Any) -> Any:
    """YAML has lists where albumentations expects tuples."""
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
