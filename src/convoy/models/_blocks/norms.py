"""Normalisations by name."""

from torch import nn

from convoy.config.blocks import Norm
from convoy.models._blocks.shape import Place, Shape, misfit


def norm(name: Norm, shape: Shape, groups: int, place: Place) -> list[nn.Module]:
    """The normalisation of maps of `shape`, with a scale and a shift for each channel.

    batch: Ioffe and Szegedy, 2015; layer: Ba et al., 2016, over channels, height and width; instance: Ulyanov
    et al., 2016; group: Wu and He, 2018.

    Args:
        place: of the block.

    Raises:
        ConfigError: the groups do not divide the channels, or an instance is a single number.
    """
    if name == "none":
        return []
    if name == "batch":
        return [nn.BatchNorm2d(shape.channels)]
    if name == "instance":
        if shape.height * shape.width == 1:
            raise misfit(
                f"{place} normalises instances of one pixel",
                f"it gets {shape} (channels×height×width) and needs at least {shape.channels}×1×2",
                f"{place.key}.norm",
                "choose norm: batch, layer or group there",
            )
        return [nn.InstanceNorm2d(shape.channels, affine=True)]
    if name == "layer":
        return [nn.GroupNorm(1, shape.channels)]
    if shape.channels % groups:
        raise misfit(
            f"{place} divides its channels into {groups} groups",
            f"it gets {shape} (channels×height×width) and needs channels that {groups} divides",
            f"{place.key}.norm_groups",
            "choose norm_groups that divide the channels",
        )
    return [nn.GroupNorm(groups, shape.channels)]
