"""Every architecture and every block answers in onnxruntime as in torch."""

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter

from convoy.bundle.onnx_export import export
from convoy.config.model import ModelConfig
from convoy.training import network
from tests.models.sections import MIXED, SECTIONS

CASES = SECTIONS | {name: {"name": "cnn", "blocks": blocks} for name, blocks in MIXED.items()}
SPEC = {
    "modality": "image",
    "spec": {"height": 28, "width": 28, "channels": 1},
    "classes": [""] * 4,
    "mean": [0.1],
    "std": [0.3],
}


@pytest.mark.parametrize("name", CASES)
def test_it_answers_alike_in_onnx(name: str) -> None:
    torch.manual_seed(3)
    config: ModelConfig = TypeAdapter(ModelConfig).validate_python(CASES[name])
    net = network.build(config, SPEC).eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    session = onnxruntime.InferenceSession(export(net, (2, 28, 28, 1)), providers=["CPUExecutionProvider"])
    [answer] = session.run(None, {"images": images})
    with torch.inference_mode():
        np.testing.assert_allclose(answer, net(torch.from_numpy(images)).numpy(), atol=1e-4)
