"""What every model of sequences must do: sequences of any length, and padding that changes nothing."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from convoy.bundle.onnx_export import export
from convoy.config.model import ModelConfig
from convoy.models._series.elman import Elman
from convoy.models._series.masking import normed
from convoy.training import network
from tests.models.sections import SEQUENCES, unrolled

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
PREPROCESSOR: dict[str, Any] = {
    "modality": "sequence", "spec": {"scale": "none"}, "channels": 3, "length": 11,
    "classes": ["a", "b", "c"],
}  # fmt: skip
GAP = float("nan")


def build(name: str) -> network.Network:
    torch.manual_seed(0)
    return network.build(CONFIG.validate_python(SEQUENCES[name]), PREPROCESSOR)


def batch() -> Tensor:
    """Sequences of 4, 1, 11 and 10 steps."""
    values = torch.randn(4, 11, 3, generator=torch.Generator().manual_seed(0))
    values[0, 4:], values[1, 1:], values[3, 10:] = GAP, GAP, GAP
    return values


@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_a_batch_further_changes_no_logit(name: str) -> None:
    net, values = build(name).eval(), batch()
    with torch.inference_mode():
        together = net(values)
        alone = torch.cat([net(row[~row[:, 0].isnan()][None]) for row in values])
        wider = net(torch.cat([values, torch.full((4, 9, 3), GAP)], dim=1))
    assert together.shape == (4, 3)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together, wider, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_a_training_batch_further_changes_no_gradient(name: str) -> None:
    values = batch()
    found = []
    for given in (values, torch.cat([values, torch.full((4, 9, 3), GAP)], dim=1)):
        net = build(name).train()
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        net(given).square().sum().backward()
        grads = [parameter.grad for parameter in net.parameters()]
        assert all(grad is not None and grad.isfinite().all() for grad in grads)
        found.append((grads, {key: value.clone() for key, value in net.named_buffers()}))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", unrolled(SEQUENCES))
def test_it_answers_alike_in_onnx_whatever_the_length(name: str) -> None:
    net = build(name).eval()
    session = onnxruntime.InferenceSession(export(net, (2, 11, 3)), providers=["CPUExecutionProvider"])
    longer = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(1))
    for values in (batch(), batch()[1:2, :1], longer):
        [answer] = session.run(None, {"signal": values.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(answer, net(values).numpy(), atol=1e-4)


def test_batch_norm_takes_its_statistics_from_what_counts_alone() -> None:
    norm = torch.nn.BatchNorm1d(2)
    values, mask = torch.randn(3, 2, 5), torch.ones(3, 5, dtype=torch.bool)
    mask[0, 2:] = False
    found = normed(norm, values.masked_fill(~mask[:, None], 1e6), mask).detach()
    places = values.transpose(1, 2)[mask]
    torch.testing.assert_close(norm.running_mean, 0.1 * places.mean(dim=0))
    assert not found.transpose(1, 2)[~mask].any()


def test_the_plain_recurrence_is_that_of_torch() -> None:
    ours, theirs = Elman(3, 5), torch.nn.RNN(3, 5, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.given)
        theirs.weight_hh_l0.copy_(ours.states)
        theirs.bias_ih_l0.copy_(ours.bias)
        theirs.bias_hh_l0.zero_()
    values = torch.randn(2, 30, 3)
    torch.testing.assert_close(ours(values)[0], theirs(values)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("section", "parameters"),
    [
        # Wang et al.'s FCN for one channel and two classes: convolutions, their norms, the last layer
        (
            {"name": "fcn"},
            128 * 8 + 256 * 128 * 5 + 128 * 256 * 3 + 2 * (128 + 256 + 128) + 128 * 2 + 2,
        ),
        # Fawaz et al.'s module: bottleneck, kernels of 40, 20 and 10, pooling, norm; here the first two
        (
            {"name": "inceptiontime", "depth": 2, "residual": False},
            (32 * 70 + 32 + 256) + (128 * 32 + 32 * 32 * 70 + 128 * 32 + 256) + 128 * 2 + 2,
        ),
    ],
    ids=["fcn", "inceptiontime"],
)
def test_the_networks_have_the_sizes_of_the_papers(section: dict[str, Any], parameters: int) -> None:
    net = network.build(
        CONFIG.validate_python(section), {**PREPROCESSOR, "channels": 1, "classes": ["a", "b"]}
    )
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
