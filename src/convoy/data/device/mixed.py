"""Mixup and cutmix of a batch on the device."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from convoy.data.mixing import Mix


def images(batch: Tensor, mix: Mix) -> Tensor:
    """Images (B, H, W, C): blended, in float32 from 0 to 255; or with a box of the partner, in their own
    type.
    """
    partners = torch.as_tensor(mix.partners).to(batch.device)
    if mix.box is None:
        values = batch.to(torch.float32)
        return torch.lerp(values[partners], values, mix.weight)
    left, top, right, bottom = mix.box
    result = batch.clone()
    result[:, top:bottom, left:right] = batch[partners, top:bottom, left:right]
    return result


def target(target: Tensor, mix: Mix, classes: int) -> Tensor:
    """Targets (B,) as probabilities (B, classes), or (B, K) float as they are: a sample's own and its
    partner's, weighted.
    """
    own = target if target.is_floating_point() else one_hot(target, classes).to(torch.float32)
    partners = torch.as_tensor(mix.partners).to(target.device)
    return mix.weight * own + (1 - mix.weight) * own[partners]
