"""Where a network looked: class evidence at its last convolution, by captum.

Grad-CAM (Selvaraju et al., ICCV 2017) averages the gradient over the map before it multiplies the activation.
That is exact where global average pooling follows, and empty or wrong where dense layers do, as in the
classic networks for digits. HiResCAM (Draelos and Carin, 2020) multiplies place by place: the same map in the
first case, in the second what the network really used. Maps of a dozen pixels and more are smoothed a little.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_BATCH = 32
_SMOOTHED_FROM = 12


def grad_cam(
    network: nn.Module, images: NDArray[np.uint8], classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What spoke for a class, at each pixel; the network is left as it was.

    Args:
        network: pictures (N, H, W, C) -> logits (N, outputs); `training.network.Network`.
        images: (N, H, W, C) uint8.
        classes: (N,) the class that is asked about.

    Returns:
        (N, H, W) in [0, 1], each picture's maximum near 1; zeros where nothing spoke for the class, and
        everywhere for a network without a convolution.
    """
    if len(images) == 0:
        return np.zeros(images.shape[:3], np.float32)
    was_training = network.training
    network.eval()
    try:
        layer = last_convolution(network, images[:1])
        if layer is None:
            return np.zeros(images.shape[:3], np.float32)
        parts = [
            _batch(network, layer, images[start : start + _BATCH], classes[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
    finally:
        network.train(was_training)
    return np.concatenate(parts)


def last_convolution(network: nn.Module, image: NDArray[np.uint8]) -> nn.Module | None:
    """The last 2-D convolution to run whose output still has a place for each part of the picture.

    Heads and squeeze-excitation use convolutions on a single place; they know no where.

    Args:
        image: (1, H, W, C), on which the network is tried.
    """
    found: list[nn.Module] = []

    def see(module: nn.Module, _given: object, output: Tensor) -> None:
        if max(output.shape[2:]) > 1:
            found.append(module)

    hooks = [
        module.register_forward_hook(see) for module in network.modules() if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            network(torch.from_numpy(image.astype(np.float32)).to(next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return found[-1] if found else None


def _batch(
    network: nn.Module, layer: nn.Module, images: NDArray[np.uint8], classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    from captum.attr import LayerGradientXActivation

    device = next(network.parameters()).device
    pixels = torch.from_numpy(images.astype(np.float32)).to(device).requires_grad_()
    target = torch.from_numpy(classes.astype(np.int64)).to(device)
    evidence: Tensor = LayerGradientXActivation(network, layer).attribute(pixels, target=target).detach()
    maps = evidence.sum(dim=1, keepdim=True)  # (N, 1, h, w)
    if min(maps.shape[2:]) >= _SMOOTHED_FROM:
        for _ in range(2):
            maps = functional.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
    maps = maps.clamp_min(0)
    highest = maps.amax(dim=(2, 3), keepdim=True)
    maps = torch.where(highest > 0, maps / highest.clamp_min(torch.finfo(maps.dtype).tiny), 0.0)
    maps = functional.interpolate(maps, size=images.shape[1:3], mode="bilinear", align_corners=False)
    heat: NDArray[np.float32] = maps[:, 0].float().cpu().numpy()
    return heat
