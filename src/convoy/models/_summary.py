"""The layers of a network as a table: what each makes, holds, costs and sees.

One picture is passed through on torch's `meta` device, which computes shapes alone. Multiply-adds are torch's
own count of floating point operations halved: those of convolutions, dense layers and attention; what works
place by place (norms, activations, poolings) counts as nothing; the total holds what no module of its own
computes, too. The receptive field follows the windows along
all paths (Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, Distill, 2019); where
paths join, the largest counts.
"""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakTensorKeyDictionary

from convoy.models._layers import layers

_ATEN = torch.ops.aten
_POOLS = {_ATEN.max_pool2d_with_indices.default, _ATEN.avg_pool2d.default}


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that one place of a map sees: height, width; and how far apart two such places lie."""

    height: int = 1
    width: int = 1
    down: int = 1
    across: int = 1

    def through(self, size: list[int], stride: list[int], dilation: list[int]) -> "ReceptiveField":
        return ReceptiveField(
            self.height + (size[0] - 1) * dilation[0] * self.down,
            self.width + (size[1] - 1) * dilation[1] * self.across,
            self.down * stride[0],
            self.across * stride[1],
        )


@dataclass(frozen=True)
class Row:
    """A module that computes, or holds parameters, itself.

    Attributes:
        name: as in the weights.
        depth: the number of the layer for freezing and layer-wise rates; None where it holds no parameters.
        shape: of its output for one sample: channels, height, width; or numbers of features.
        multiply_adds: for one sample.
        sees: height and width of the receptive field in pixels; None: the whole picture, or no picture.
    """

    name: str
    kind: str
    depth: int | None
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    sees: tuple[int, int] | None


@dataclass(frozen=True)
class Summary:
    """Of a network for samples of `shape`: of pictures channels, height, width; of texts the tokens."""

    shape: tuple[int, ...]
    rows: list[Row]
    parameters: int
    multiply_adds: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarise(body: nn.Module, shape: tuple[int, ...], kind: torch.dtype = torch.float32) -> Summary:
    """The table of a network that takes (N, *shape); `body` is left as it was.

    Args:
        kind: of the numbers that it takes: integers are the ids of tokens.
    """
    body = copy.deepcopy(body).to("meta").eval()
    depths = {name: depth for depth, names in enumerate(layers(body)) for name in names}
    fields = _Fields()
    counter = FlopCounterMode(display=False)
    made: dict[str, tuple[nn.Module, Tensor]] = {}
    with _watched(body, made), counter, fields, torch.no_grad():
        sample = torch.zeros((1, *shape), dtype=kind, device="meta")
        if len(shape) == 3:
            fields.begin(sample)
        body(sample)
    counts = counter.get_flop_counts()
    root = type(body).__name__
    rows = [
        Row(
            name=name or "(itself)",
            kind=type(module).__name__,
            depth=next((depths[full] for full in _own(name, module) if full in depths), None),
            shape=tuple(output.shape[1:]),
            parameters=sum(p.numel() for p in module.parameters(recurse=False)),
            multiply_adds=sum(counts.get(f"{root}.{name}", {}).values()) // 2 if _is_leaf(module) else 0,
            sees=fields.seen(output),
        )
        for name, (module, output) in made.items()
    ]
    return Summary(
        shape=shape,
        rows=rows,
        parameters=sum(p.numel() for p in body.parameters()),
        multiply_adds=counter.get_total_flops() // 2,
    )


class _Fields(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the receptive field of every tensor that is made of the picture; None where it is the whole."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._of: Any = WeakTensorKeyDictionary()

    def begin(self, picture: Tensor) -> None:
        self._of[picture] = ReceptiveField()

    def seen(self, output: Tensor) -> tuple[int, int] | None:
        field = self._of.get(output)
        return None if field is None else (field.height, field.width)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sources = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        known = [self._of[tensor] for tensor in sources if tensor in self._of]
        if known:
            field = _joined(known)
            for made in tree_leaves(result):
                if isinstance(made, Tensor):
                    self._of[made] = _after(func, args, field, made)
        return result


def _joined(fields: list[ReceptiveField | None]) -> ReceptiveField | None:
    if any(field is None for field in fields):
        return None
    parts = [field for field in fields if field is not None]
    return ReceptiveField(
        *(max(getattr(part, side) for part in parts) for side in ("height", "width", "down", "across"))
    )


def _after(func: Any, args: Any, field: ReceptiveField | None, made: Tensor) -> ReceptiveField | None:
    """The field after an operation; the whole picture once places are no longer told apart."""
    if field is None or made.ndim != 4:
        return None
    if func is _ATEN.convolution.default:
        return field.through(list(args[1].shape[2:]), _two(args[3]), _two(args[5]))
    if func in _POOLS:
        size = _two(args[1])
        stride = _two(args[2]) if len(args) > 2 and args[2] else size
        return field.through(size, stride, [1, 1])
    pooled = isinstance(args[0], Tensor) and args[0].ndim == 4 and args[0].shape != made.shape
    return None if pooled and tuple(made.shape[2:]) == (1, 1) else field


def _two(values: list[int]) -> list[int]:
    return list(values) * 2 if len(values) == 1 else list(values)


@contextmanager
def _watched(body: nn.Module, made: dict[str, tuple[nn.Module, Tensor]]) -> Iterator[None]:
    """While it lasts, outputs of modules that have no members, or parameters of their own, are noted."""

    def hook(name: str) -> Any:
        def note(module: nn.Module, _inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output  # of recurrent layers the states
            if isinstance(first, Tensor):
                made[name] = (module, first)

        return note

    with ExitStack() as stack:
        for name, module in body.named_modules():
            holds = next(module.parameters(recurse=False), None) is not None
            if (holds or (name and _is_leaf(module))) and not isinstance(module, nn.Identity):
                handle = module.register_forward_hook(hook(name))
                stack.callback(handle.remove)
        yield


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _own(name: str, module: nn.Module) -> list[str]:
    return [f"{name}.{inner}".removeprefix(".") for inner, _ in module.named_parameters(recurse=False)]
