"""The network for rows."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter

from convoy.bundle.onnx_export import export
from convoy.config.model import ModelConfig, takes
from convoy.config.tables import TablePrepareConfig
from convoy.data.modalities.table.preparing import stand_in
from convoy.errors import ConfigError
from convoy.training import network
from tests.models.sections import ROWS

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"norm": "none", "dropout": 0.0},
    "batch norm": {"norm": "batch"},
    "layer norm": {"norm": "layer", "activation": "gelu", "input_dropout": 0.1},
    "vectors by column": {"embedding": {"category": 7}},
}


def build(section: dict[str, Any], **prepare: Any) -> network.Network:
    torch.manual_seed(0)
    preprocessor = stand_in(TablePrepareConfig.model_validate(prepare), ["a", "b", "c"])
    return network.build(CONFIG.validate_python({**ROWS["mlp"], **section}), preprocessor)


def features(net: network.Network, count: int) -> torch.Tensor:
    width = 3  # two numbers and a code
    values = torch.randn(count, width, generator=torch.Generator().manual_seed(1))
    values[:, 2] = torch.arange(count) % 5
    return values


@pytest.mark.parametrize("name", OPTIONS)
def test_it_learns_and_answers_alike_in_onnx(name: str) -> None:
    net = build(OPTIONS[name])
    rows = features(net, 6)
    net.train()(rows).square().sum().backward()
    for weight in net.parameters():
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
    session = onnxruntime.InferenceSession(export(net, (2, 3)), providers=["CPUExecutionProvider"])
    for some in (rows, rows[:1]):
        with torch.inference_mode():
            expected = net.eval()(some).numpy()
        [answer] = session.run(None, {"features": some.numpy()})
        np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_a_category_has_a_vector_and_an_unseen_one_says_nothing_at_first() -> None:
    net = build({"embedding": 4})
    [embedding] = net.body.get_submodule("embeddings").children()
    weight: Any = embedding.weight
    assert weight.shape == (5, 4)
    assert not weight[1].any()
    assert weight[2].any()


def test_sizes_of_vectors_are_by_rule_given_or_by_column() -> None:
    for section, width in (
        ({"embedding": "auto"}, 3),
        ({"embedding": 9}, 9),
        ({"embedding": {"category": 2}}, 2),
    ):
        [embedding] = build(section).body.get_submodule("embeddings").children()
        assert embedding.embedding_dim == width
    with pytest.raises(ConfigError, match="'colour' is no embedded column; there are category"):
        build({"embedding": {"colour": 3}})


def test_it_takes_rows_without_categories() -> None:
    net = build({}, categories={"encode": "one_hot"})
    assert not list(net.body.get_submodule("embeddings").children())
    assert net(torch.zeros(2, 5)).shape == (2, 3)
    assert takes(CONFIG.validate_python({"name": "mlp"})) == ("table",)
