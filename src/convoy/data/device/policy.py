"""A policy whose pixels are computed on the device."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from convoy.data.augment import Policy, random
from convoy.data.batched import AnyForm, Drawn
from convoy.data.batched.affine import AffineForm
from convoy.data.batched.blur import GaussianBlurForm
from convoy.data.batched.colour import ColorJitterForm, ToGrayForm
from convoy.data.batched.crops import RandomCropForm, ResizedCropForm
from convoy.data.batched.dropout import HoleForm
from convoy.data.batched.noise import GaussNoiseForm
from convoy.data.batched.padding import PadForm
from convoy.data.batched.symmetries import SymmetryForm
from convoy.data.batched.tones import ToneForm
from convoy.data.device import colours, geometry
from convoy.errors import ConfigError

Shape = tuple[int, ...]  # (B, H, W, C)

_FORMS: dict[type[AnyForm], Callable[..., Tensor]] = {
    AffineForm: geometry.warp,
    ColorJitterForm: colours.jitter,
    GaussNoiseForm: colours.noise,
    GaussianBlurForm: colours.blur,
    HoleForm: colours.fill_holes,
    PadForm: geometry.pad,
    RandomCropForm: geometry.crop,
    ResizedCropForm: geometry.resized_crop,
    SymmetryForm: geometry.turn,
    ToGrayForm: colours.to_gray,
    ToneForm: colours.look_up,
}
_ONLY_IF: dict[type[AnyForm], Callable[[Any], bool]] = {
    AffineForm: geometry.warps,
    ResizedCropForm: geometry.resizes,
}


class DevicePolicy:
    """The forms of a policy. `draw` may run ahead in any thread; `apply` computes the pixels."""

    def __init__(self, forms: Sequence[AnyForm]) -> None:
        self._forms = list(forms)

    def draw(self, shape: Shape, seed: int) -> list[Drawn]:
        """The numbers that `Policy` draws for images of `shape` and this seed."""
        drawn: list[Drawn] = []
        for number, form in enumerate(self._forms):
            drawn.append(form.draw(shape, random(seed, number)))
            shape = form.after(shape, drawn[-1])
        return drawn

    def apply(self, images: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        """Images (B, H, W, C) uint8, changed as drawn; the same shape and type.

        Raises:
            ConfigError: a transform changed the size.
        """
        batch = _unpacked(images)
        for form, numbers in zip(self._forms, drawn, strict=True):
            batch = _FORMS[type(form)](form, batch, numbers)
        if batch.shape[2:] != images.shape[1:3]:
            raise ConfigError(
                f"the augmentation turns {tuple(images.shape[1:3])} pixels into {tuple(batch.shape[2:])}",
                where="params.yaml: augment.transforms",
                fix="leave out transforms that resize, or crop to another size",
            )
        return _packed(batch)

    def __call__(self, images: Tensor, seed: int) -> Tensor:
        return self.apply(images, self.draw(tuple(images.shape), seed))


def of(policy: Policy) -> DevicePolicy | None:
    """The device's form of a policy; None where a transform has none."""
    forms = policy.forms
    if forms is None:
        return None
    return DevicePolicy(forms) if all(has_form(form) for form in forms) else None


def has_form(form: AnyForm) -> bool:
    """Whether the device computes what a batch form does."""
    return type(form) in _FORMS and (type(form) not in _ONLY_IF or _ONLY_IF[type(form)](form))


def pixels(form: AnyForm, images: Tensor, drawn: Drawn) -> Tensor:
    """Images (B, H, W, C) uint8 under one form; what is given stays."""
    return _packed(_FORMS[type(form)](form, _unpacked(images), drawn))


def _unpacked(images: Tensor) -> Tensor:
    """To (B, C, H, W) float32, in memory of its own."""
    return images.permute(0, 3, 1, 2).to(torch.float32)


def _packed(batch: Tensor) -> Tensor:
    return batch.permute(0, 2, 3, 1).to(torch.uint8).contiguous()
