"""Gradients checked in float64: what autograd says against central differences, and one convolution by hand.

A function is made a scalar by weighing its outputs with fixed random numbers. The difference is taken at a
few entries of the input and of every parameter, twice, with h and h / 4: where the two disagree, a kink
(ReLU, a tie of a pooling) lies in between, there is no derivative, and the entry says nothing about autograd.
Inputs are evenly spread values in random order, so no two are equal and none is 0. Dropout is off.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from convoy.training import by_hand

TOLERANCE = 1e-5
AUTOMATIC, BY_HAND = "autograd", "by hand"
_H = 1e-5
_ENTRIES = 16  # of each tensor
_FLOOR = 1e-3  # gradients below are compared as if they were this large
_SIDE = 12  # of the pictures that layers are checked on
_BATCH = 2


@dataclass(frozen=True)
class Derivative:
    """One comparison.

    Attributes:
        what: the layer, loss or network. place: its name in the network. wrt: differentiated with respect to.
        way: autograd, or by hand; both against central differences.
        entries: compared. error: largest difference over the largest gradient; NaN where no entry could be.
    """

    what: str
    place: str
    wrt: str
    way: str
    entries: int
    error: float

    def passes(self, tolerance: float) -> bool:
        return self.error <= tolerance  # NaN does not


def check(
    body: nn.Module,
    objective: nn.Module,
    shape: tuple[int, int, int],
    outputs: int,
    *,
    mixed: bool,
    penalty: Callable[[nn.Module], Callable[[], Tensor] | None] = lambda _module: None,
    seed: int = 0,
) -> list[Derivative]:
    """All derivatives of a network and its loss.

    Args:
        body: (N, C, H, W) -> (N, outputs).
        objective: with `loss(logits, target)`, for targets that are indices of classes.
        shape: (C, H, W) of the images.
        mixed: whether targets that are probabilities are used, too.
        penalty: on the weights of a module, see `penalties`.
    """
    body, objective = deepcopy(body).double().eval(), deepcopy(objective).double()
    random = torch.Generator().manual_seed(seed)
    found: list[Derivative] = []
    for place, module, sizes in _layers(body, shape):
        found += _layer(place, module, sizes, random)
    found += _convolution(body, shape, random)
    found += _losses(objective, outputs, mixed, random)
    added = penalty(body)
    if added is not None:
        tensors = {"weights": next(p for p in body.parameters() if p.ndim >= 2)}
        found += _compare("penalty", "", added, tensors, random)
    images = spread((_BATCH, *shape), random)
    target = torch.arange(_BATCH) % outputs

    def whole() -> Tensor:
        value: Tensor = objective.loss(body(images), target)  # type: ignore[operator]
        return value

    named = {name: tensor for name, tensor in body.named_parameters() if tensor.requires_grad}
    found += _compare("network and loss", "", whole, {"images": images, **_some(named)}, random)
    return found


def spread(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Evenly spread values within (-2, 2) in random order: no two are equal, none is 0; float64."""
    count = int(torch.Size(shape).numel())
    values = (torch.arange(count, dtype=torch.float64) + 0.4) / count * 4 - 2
    return values[torch.randperm(count, generator=random)].view(shape)


def _layers(
    body: nn.Module, shape: tuple[int, int, int]
) -> Iterator[tuple[str, nn.Module, list[tuple[int, ...]]]]:
    """Name, module and sizes of its inputs, of each distinct layer that the forward pass meets."""
    met: dict[tuple[str, str], tuple[str, nn.Module, list[tuple[int, ...]]]] = {}

    def meet(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sizes = [_small(module, tuple(each.shape)) for each in inputs if isinstance(each, Tensor)]
            met.setdefault((repr(module), repr(sizes)), (name, module, sizes))

        return hook

    hooks = [
        module.register_forward_pre_hook(meet(name))
        for name, module in body.named_modules()
        if not any(module.children()) and not isinstance(module, nn.Identity | _DropoutNd)
    ]
    with torch.no_grad():
        body(torch.zeros((_BATCH, *shape), dtype=torch.float64))
    for hook in hooks:
        hook.remove()
    yield from met.values()


def _small(module: nn.Module, size: tuple[int, ...]) -> tuple[int, ...]:
    """The size of an input of pictures cut down, where the layer does not insist on it."""
    if len(size) != 4 or isinstance(module, nn.LayerNorm):
        return size
    kernel = getattr(module, "kernel_size", 1)
    extent = max(kernel) if isinstance(kernel, tuple) else kernel
    dilation = getattr(module, "dilation", 1)
    extent *= max(dilation) if isinstance(dilation, tuple) else dilation
    most = max(_SIDE, 2 * extent)
    return (*size[:2], min(size[2], most), min(size[3], most))


def _layer(
    place: str, module: nn.Module, sizes: list[tuple[int, ...]], random: torch.Generator
) -> list[Derivative]:
    """Of one layer; batch normalisation both with the statistics of its batch and with fixed ones."""
    found: list[Derivative] = []
    for training in (True, False) if isinstance(module, _BatchNorm) else (False,):
        layer = deepcopy(module)
        name = repr(module)
        with torch.no_grad():
            for parameter in layer.parameters():  # scales of 0 or 1 would hide half the formula
                parameter.add_(torch.randn(parameter.shape, generator=random, dtype=torch.float64), alpha=0.1)
        if isinstance(layer, _BatchNorm):
            layer.momentum = 0.0  # the statistics stay through all evaluations
            layer.train(training)
            name += ", statistics of the batch" if training else ", fixed statistics"
        inputs = [spread(size, random) for size in sizes]
        tensors = {"input" if n == 0 else f"input {n + 1}": each for n, each in enumerate(inputs)}
        tensors |= {name: p for name, p in layer.named_parameters() if p.requires_grad}
        found += _compare(name, place, _weighed(layer, inputs, random), tensors, random)
    return found


def _weighed(layer: nn.Module, inputs: list[Tensor], random: torch.Generator) -> Callable[[], Tensor]:
    with torch.no_grad():
        size = layer(*(each.clone() for each in inputs)).shape
    weights = torch.randn(size, generator=random, dtype=torch.float64)

    def value() -> Tensor:
        outputs: Tensor = layer(*(each.clone() for each in inputs))  # some layers work in place
        return (outputs * weights).sum()

    return value


def _convolution(body: nn.Module, shape: tuple[int, int, int], random: torch.Generator) -> list[Derivative]:
    """The network's first convolution by hand: with respect to its input and to its kernel."""
    layers = ((place, module, sizes) for place, module, sizes in _layers(body, shape))
    fitting = (each for each in layers if isinstance(each[1], nn.Conv2d) and each[1].padding_mode == "zeros")
    place, layer, sizes = next(fitting, ("", nn.Conv2d(2, 3, 3, dtype=torch.float64), [(2, 2, 8, 8)]))
    assert isinstance(layer, nn.Conv2d)
    images = spread(sizes[0], random)
    with torch.no_grad():
        weights = torch.randn(layer(images).shape, generator=random, dtype=torch.float64)
    by_input, by_kernel = by_hand.convolution(layer, images, weights)

    def value() -> Tensor:
        outputs: Tensor = layer(images)
        return (outputs * weights).sum()

    kernel = layer.weight
    found = []
    for wrt, tensor, gradient in (("input", images, by_input), ("weight", kernel, by_kernel)):
        entries, error = _error(value, tensor, gradient, random)
        found.append(Derivative(repr(layer), place, wrt, BY_HAND, entries, error))
    return found


def _losses(objective: nn.Module, outputs: int, mixed: bool, random: torch.Generator) -> list[Derivative]:
    count = 4 * outputs
    logits = spread((count, outputs), random)
    plain = torch.arange(count) % outputs
    targets: dict[str, Tensor] = {"loss": plain}
    if mixed:
        own = nn.functional.one_hot(plain, outputs).double()
        targets["loss of mixed samples"] = 0.7 * own + 0.3 * own.flip(0)
    found = []
    for what, target in targets.items():

        def value(target: Tensor = target) -> Tensor:
            loss: Tensor = objective.loss(logits, target)  # type: ignore[operator]
            return loss

        found += _compare(what, "", value, {"logits": logits}, random)
    return found


def _some(tensors: Mapping[str, Tensor], most: int = 6) -> dict[str, Tensor]:
    """The first, the last and some in between."""
    names = list(tensors)
    picked = {round(n * (len(names) - 1) / max(most - 1, 1)) for n in range(most)} if names else set()
    return {names[n]: tensors[names[n]] for n in sorted(picked)}


def _compare(
    what: str,
    place: str,
    function: Callable[[], Tensor],
    tensors: Mapping[str, Tensor],
    random: torch.Generator,
) -> list[Derivative]:
    """Autograd against central differences of a scalar function, for each of its tensors."""
    for tensor in tensors.values():
        tensor.requires_grad_(True)
    gradients = torch.autograd.grad(
        function(), list(tensors.values()), materialize_grads=True, allow_unused=True
    )
    found = []
    for (wrt, tensor), gradient in zip(tensors.items(), gradients, strict=True):
        entries, error = _error(function, tensor, gradient, random)
        found.append(Derivative(what, place, wrt, AUTOMATIC, entries, error))
    return found


def _error(
    function: Callable[[], Tensor], tensor: Tensor, gradient: Tensor, random: torch.Generator
) -> tuple[int, float]:
    """Number of entries compared, and the largest difference over the largest gradient."""
    flat = tensor.detach().view(-1)
    chosen = torch.randperm(len(flat), generator=random)[:_ENTRIES].tolist()
    claimed = gradient.reshape(-1)[chosen].tolist()
    pairs = [(_slope(function, flat, at, _H), _slope(function, flat, at, _H / 4)) for at in chosen]
    sizes = chain(claimed, (near for _, near in pairs), [_FLOOR, float(gradient.abs().max())])
    scale = max(map(abs, sizes))
    errors = [
        abs(near - claim) / scale
        for (far, near), claim in zip(pairs, claimed, strict=True)
        if abs(far - near) <= TOLERANCE * scale
    ]
    return len(errors), max(errors, default=float("nan"))


@torch.no_grad()
def _slope(function: Callable[[], Tensor], values: Tensor, at: int, h: float) -> float:
    """(f(x + h) - f(x - h)) / 2h at one entry, which is left as it was."""
    kept = values[at].clone()
    values[at] = kept + h
    above = float(function())
    values[at] = kept - h
    below = float(function())
    values[at] = kept
    return (above - below) / (2 * h)
