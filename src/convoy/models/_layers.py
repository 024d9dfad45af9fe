"""The parameters of a network in layers, from the input to the head: the units of freezing and rates."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def layers(body: nn.Module) -> list[list[str]]:
    """Names of parameters, layer by layer; the last one is the head.

    A layer of a network in a row is one of its members with parameters, and the normalisations behind it;
    parameters of no member come first. A network of timm says itself what belongs together
    (`group_matcher`), as for timm's layer decay.
    """
    matcher = getattr(body, "group_matcher", None)
    if matcher is not None:
        return _of_timm(body, matcher(coarse=False))
    own = [name for name, _ in body.named_parameters(recurse=False)]
    found: list[list[str]] = [own] if own else []
    for name, member in body.named_children():
        names = [f"{name}.{inner}" for inner, _ in member.named_parameters()]
        if found and isinstance(member, _NormBase | nn.GroupNorm):
            found[-1] += names
        elif names:
            found.append(names)
    return found


def _of_timm(body: nn.Module, matcher: Any) -> list[list[str]]:
    from timm.models import group_parameters

    by_depth = group_parameters(body, matcher)
    return [list(by_depth[depth]) for depth in sorted(by_depth)]
