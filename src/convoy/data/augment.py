"""The adapter to albumentations, and the one module that imports it: a policy from params.yaml, checked by
name and argument, applied to whole batches.

The commonest transforms have a batch form (`convoy.data.batched`); the others are albumentations' own, image
by image.
"""

import copy
import difflib
import inspect
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, overload

import albumentations
import numpy as np
from numpy.typing import NDArray

from convoy.data import batched
from convoy.errors import ConfigError

Images = NDArray[np.uint8]
Batch = dict[str, NDArray[Any]]
Spec = Mapping[str, Any]  # {"name": …, argument: value, …}

_WHERE = "params.yaml: augment.transforms"
_SIZE_FILLED = ("RandomResizedCrop",)  # whose size, where it is left out, is that of the prepared pictures
_FAILURES = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RuntimeError)


class Policy:
    """A sequence of albumentations transforms.

    Args:
        transforms: as in params.yaml. `RandomResizedCrop` may do without its size.
        mirror: for keypoints: which keypoint each one is after left and right changed places (the left eye is
            the right eye then). Without it, a mirrored picture's keypoints keep their places in the list.

    Raises:
        ConfigError: a transform or an argument does not exist, or albumentations refuses a value.
    """

    def __init__(self, transforms: Sequence[Spec], *, mirror: Sequence[int] | None = None) -> None:
        self.specs = [dict(spec) for spec in transforms]
        built = [_build(number, spec) for number, spec in enumerate(self.specs)]
        self._mirror = None if mirror is None else np.array(mirror, dtype=np.int64)
        self._steps: list[_Whole | _PerImage] = []
        for transform in built:
            form = batched.of(transform)
            self._steps.append(_PerImage(transform) if form is None else _Whole(form, self._mirror))

    @property
    def forms(self) -> list[batched.AnyForm] | None:
        """The batch forms in order; None where a transform has none."""
        forms = [step.form for step in self._steps if isinstance(step, _Whole)]
        return forms if len(forms) == len(self._steps) else None

    @overload
    def __call__(self, batch: Images, seed: int) -> Images: ...
    @overload
    def __call__(self, batch: Batch, seed: int) -> Batch: ...

    def __call__(self, batch: Images | Batch, seed: int) -> Images | Batch:
        """Augment a batch.

        Args:
            batch: images (B, H, W, C) uint8, or a mapping with `images` and, where there are any, `keypoints`
                (B, K, 3): x, y, visibility as in COCO, and `masks` (B, H, W) or (B, H, W, channels) uint8.
                Not changed. A keypoint that leaves its picture, or was not labelled, has visibility 0; points
                that are not labelled are not moved.
            seed: the whole batch's; the same seed and batch give the same result.

        Returns:
            What was given, changed; shapes and types are the same.

        Raises:
            ConfigError: a transform changed the size or the type of the images, or cannot work on them.
        """
        plain = isinstance(batch, np.ndarray)
        before: Batch = {"images": batch} if plain else dict(batch)  # type: ignore[dict-item]
        after = {name: v.copy() if name in ("images", "masks") else v for name, v in before.items()}
        for number, step in enumerate(self._steps):
            after = step(after, random(seed, number))
        if after["images"].shape != before["images"].shape:
            was, now = before["images"].shape[1:], after["images"].shape[1:]
            raise ConfigError(
                f"the augmentation turns pictures of {_size(was)} into {_size(now)}",
                where=_WHERE,
                fix="leave out transforms that resize, or crop to another size",
            )
        return after["images"] if plain else after


def random(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step of a policy for the batch with this seed (Philox is counter-based)."""
    return np.random.Generator(np.random.Philox(key=(seed, step)))


class _Whole:
    """A batch form, applied to all that a batch holds."""

    def __init__(self, form: batched.AnyForm, mirror: NDArray[np.int64] | None) -> None:
        self.form = form
        self._mirror = mirror

    def __call__(self, batch: Batch, random: np.random.Generator) -> Batch:
        images: Images = batch["images"]
        drawn = self.form.draw(images.shape, random)
        result = {**batch, "images": self.form.pixels(images, drawn)}
        if "keypoints" in batch:
            points = batch["keypoints"]
            moved = self.form.points(points[:, :, :2], images.shape, drawn)
            result["keypoints"] = _seen(points, moved, result["images"].shape)
            if self._mirror is not None:
                mirrored = self.form.mirrored(drawn)
                result["keypoints"][mirrored] = result["keypoints"][mirrored][:, self._mirror]
        if "masks" in batch:
            masks = batch["masks"]
            changed = self.form.masks(masks[..., None] if masks.ndim == 3 else masks, drawn)
            result["masks"] = changed[..., 0] if masks.ndim == 3 else changed
        return result


class _PerImage:
    """One transform as albumentations runs it, applied to the images of a batch in turn."""

    def __init__(self, transform: albumentations.BasicTransform) -> None:
        self._transform = transform
        self._name = type(transform).__name__
        self._moves = isinstance(transform, albumentations.DualTransform)
        self._own = threading.local()  # albumentations keeps the drawn numbers in the transform itself

    def __call__(self, batch: Batch, random: np.random.Generator) -> Batch:
        given_too = {name for name in ("keypoints", "masks") if name in batch and self._moves}
        compose = self._compose("keypoints" in given_too)
        compose.set_random_seed(int(random.integers(2**31)))
        results: dict[str, list[NDArray[Any]]] = {}
        for number, image in enumerate(batch["images"]):
            given: dict[str, Any] = {"image": image}
            if "masks" in given_too:
                given["mask"] = batch["masks"][number]
            if "keypoints" in given_too:
                labelled = np.flatnonzero(batch["keypoints"][number, :, 2] > 0)
                given |= {"keypoints": batch["keypoints"][number, labelled, :2], "index": labelled}
            changed = self._run(compose, given)
            results.setdefault("images", []).append(_with_channels(changed["image"]))
            if "masks" in given_too:
                mask = changed["mask"]
                results.setdefault("masks", []).append(
                    mask if batch["masks"].ndim == 3 else _with_channels(mask)
                )
            if "keypoints" in given_too:
                moved = self._points(batch["keypoints"][number], labelled, changed)
                results.setdefault("keypoints", []).append(moved)
        after = {name: self._stacked(name, values) for name, values in results.items()}
        if "keypoints" in given_too:
            points = batch["keypoints"]
            after["keypoints"] = _seen(points, after["keypoints"], after["images"].shape)
        return {**batch, **after}

    def _compose(self, keypoints: bool) -> albumentations.Compose:
        """This thread's own."""
        made: dict[str, albumentations.Compose] = self._own.__dict__
        kind = "keypoints" if keypoints else "plain"
        if kind not in made:
            how = albumentations.KeypointParams(
                format="xy", remove_invisible=False, label_fields=["index"]
            )  # fmt: skip
            made[kind] = albumentations.Compose(
                [copy.deepcopy(self._transform)], seed=0, keypoint_params=how if keypoints else None
            )
        return made[kind]

    def _run(self, compose: albumentations.Compose, given: dict[str, Any]) -> dict[str, Any]:
        try:
            changed: dict[str, Any] = compose(**given)
        except _FAILURES as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(
                f"{self._name} cannot work on pictures of {_size(given['image'].shape)}: {reason}",
                where=_WHERE,
                fix="leave it out, or change its arguments",
            ) from error
        return changed

    def _points(
        self, points: NDArray[np.floating[Any]], labelled: NDArray[np.int64], changed: dict[str, Any]
    ) -> NDArray[np.floating[Any]]:
        if sorted(int(index) for index in changed["index"]) != labelled.tolist():
            raise ConfigError(
                f"{self._name} adds or removes keypoints",
                where=_WHERE,
                fix="keypoints cannot be reflected: set its border_mode to 0 (constant)",
            )
        moved: NDArray[np.floating[Any]] = points[:, :2].copy()
        if len(labelled):
            moved[np.array(changed["index"], dtype=np.int64)] = changed["keypoints"]
        return moved

    def _stacked(self, name: str, values: list[NDArray[Any]]) -> NDArray[Any]:
        kinds = {(value.shape, value.dtype) for value in values}
        if len(kinds) > 1:
            raise ConfigError(
                f"{self._name} gives pictures of different sizes: "
                + ", ".join(sorted(_size(shape) for shape, _ in kinds)),
                where=_WHERE,
                fix="set its p to 1, or leave it out",
            )
        [(_, dtype)] = kinds
        if name == "images" and dtype != np.uint8:
            raise ConfigError(
                f"{self._name} turns uint8 into {dtype}",
                where=_WHERE,
                fix="leave out transforms that normalise: the network does that itself",
            )
        return np.stack(values)


def _seen(
    points: NDArray[np.floating[Any]], moved: NDArray[np.floating[Any]], shape: tuple[int, ...]
) -> NDArray[np.floating[Any]]:
    """Keypoints (B, K, 3) at their new places; those outside their picture have visibility 0."""
    result = points.copy()
    labelled = points[:, :, 2] > 0
    result[:, :, :2] = np.where(labelled[:, :, None], moved, points[:, :, :2])
    x, y = result[:, :, 0], result[:, :, 1]
    inside = (x >= 0) & (x < shape[2]) & (y >= 0) & (y < shape[1])
    result[:, :, 2] = np.where(inside, points[:, :, 2], 0)
    return result


def _with_channels(image: NDArray[Any]) -> NDArray[Any]:
    return image[:, :, None] if image.ndim == 2 else image


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]} × {shape[2] if len(shape) > 2 else 1}"


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
    name = spec["name"]
    arguments = {key: _tuples(value) for key, value in spec.items() if key != "name"}
    where = f"{_WHERE}[{number}] ({name})"
    available = _available()
    transform = available.get(name)
    if transform is None:
        raise ConfigError(
            f"albumentations has no transform {name!r}{_suggest(name, available)}",
            where=where,
            fix="its class names are listed in albumentations' documentation",
        )
    known = [key for key in inspect.signature(transform.__init__).parameters if key != "self"]
    for key in arguments:
        if key not in known:
            raise ConfigError(
                f"{name} has no argument {key!r}{_suggest(key, known)}",
                where=where,
                fix=f"its arguments are: {', '.join(known)}",
            )
    fill_size = name in _SIZE_FILLED and arguments.get("size") is None
    if fill_size:
        arguments["size"] = (1, 1)  # stands in until the batch form sees the pictures
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.filterwarnings("ignore", message="ShiftScaleRotate is a special case of Affine")
            built = transform(**arguments)
    except (ValueError, TypeError, UserWarning) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{name} refuses its arguments: {reason}", where=where) from None
    if fill_size:
        built.size = None
    return built


def _suggest(given: str, choices: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(given, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _tuples(value: Any) -> Any:
    """YAML has lists where albumentations expects tuples."""
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
