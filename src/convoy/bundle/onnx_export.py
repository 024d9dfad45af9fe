"""A network as ONNX bytes that depend on nothing but the network."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from convoy.training.network import Network

OUTPUT = "logits"

# Exporting tells, for every op of torchvision, that torchvision is not installed; nothing here needs it.
_CHATTY = "torch.onnx._internal.exporter._registration"
# Of recurrent layers, which keep their weights in a list beside: the exporter traces them all the same.
_HARMLESS = (r"The tensor attributes .*_flat_weights", "_check_is_size will be removed")


def export(network: Network, shape: Sequence[int]) -> bytes:
    """ONNX of a network that gives logits (N, classes); its inputs are named as the network names them.

    The exporter notes stack traces, module paths and symbol numbers in the graph: they hold absolute paths
    and change from folder to folder, so they are taken out.

    Args:
        shape: of the first input of a batch of two or more.
    """
    axes = tuple({axis: torch.export.Dim(name) for axis, name in each.items()} for each in network.free())
    with _quiet(), torch.inference_mode():
        program = torch.onnx.export(
            network.eval(),
            network.example(shape),
            dynamo=True,
            dynamic_shapes=axes if len(axes) == 1 else (axes,),
            input_names=list(network.inputs),
            output_names=[OUTPUT],
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model: Any = program.model_proto
    _strip(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _strip(model: Any) -> None:
    """Clear metadata_props and doc_string of a ModelProto and of everything in it."""
    _clear(model)
    for function in model.functions:
        _strip_graph(function, values=function.value_info)
    _strip_graph(model.graph, values=[*model.graph.input, *model.graph.output, *model.graph.value_info])
    for tensor in model.graph.initializer:
        _clear(tensor)


def _strip_graph(graph: Any, values: Any) -> None:
    _clear(graph)
    for value in values:
        _clear(value)
    for node in graph.node:
        _clear(node)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            held = [attribute.g] if attribute.HasField("g") else []
            for inner in (*held, *attribute.graphs):
                _strip_graph(inner, values=[*inner.input, *inner.output, *inner.value_info])


def _clear(message: Any) -> None:
    message.ClearField("doc_string")
    message.ClearField("metadata_props")


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger(_CHATTY)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in _HARMLESS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.setLevel(before)
