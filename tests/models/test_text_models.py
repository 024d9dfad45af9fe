"""What every model of texts must do: texts of any length, and padding that changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter

from convoy import plugins
from convoy.bundle.onnx_export import export
from convoy.config.model import ModelConfig, takes
from convoy.errors import ConfigError
from convoy.training import network
from tests.models.sections import CLASSICAL, ROWS, SECTIONS, SEQUENCES, TEXTS, unrolled

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
WORDS = ["<pad>", "<unk>", *(f"w{n}" for n in range(30))]
PREPROCESSOR: dict[str, Any] = {
    "modality": "text", "spec": {"tokens": "words"}, "vocabulary": WORDS, "length": 9,
    "classes": ["a", "b", "c"],
}  # fmt: skip


def build(section: dict[str, Any]) -> network.Network:
    torch.manual_seed(0)
    return network.build(CONFIG.validate_python(section), PREPROCESSOR)


def batch() -> torch.Tensor:
    """Texts of 4, 1 and 9 tokens, and one of unknown tokens alone."""
    ids = torch.randint(2, 32, (4, 9), generator=torch.Generator().manual_seed(0))
    ids[0, 4:], ids[1, 1:], ids[3] = 0, 0, 1
    return ids


def test_every_model_has_a_section_here_for_each_modality_that_it_takes() -> None:
    kinds = {
        kind: {**sections, **CLASSICAL[kind]}
        for kind, sections in {
            "image": SECTIONS, "text": TEXTS, "sequence": SEQUENCES, "table": ROWS
        }.items()
    }  # fmt: skip
    assert set(plugins.names("model")) == {name for sections in kinds.values() for name in sections}
    for modality, sections in kinds.items():
        assert all(modality in takes(CONFIG.validate_python(section)) for section in sections.values())


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_alone_is_answered_as_in_a_batch_with_longer_ones(name: str) -> None:
    net, ids = build(TEXTS[name]).eval(), batch()
    with torch.inference_mode():
        together = net(ids)
        alone = torch.cat([net(row[row != 0][None]) for row in ids])
    assert together.shape == (4, 3)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", unrolled(TEXTS))
def test_it_answers_alike_in_onnx_whatever_the_length(name: str) -> None:
    net = build(TEXTS[name]).eval()
    session = onnxruntime.InferenceSession(export(net, (2, 9)), providers=["CPUExecutionProvider"])
    longer = torch.randint(1, 32, (2, 40), generator=torch.Generator().manual_seed(1))
    for ids in (batch(), batch()[1:2, :1], longer):
        [answer] = session.run(None, {"tokens": ids.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(answer, net(ids).numpy(), atol=1e-4)


@pytest.mark.parametrize("name", TEXTS)
def test_every_weight_that_learns_gets_a_gradient(name: str) -> None:
    net = build(TEXTS[name]).train()
    net(batch()).square().sum().backward()
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learning)
    tables = [module for module in net.modules() if isinstance(module, torch.nn.Embedding)]
    assert all(not table.weight[0].any() for table in tables)
    grads = [table.weight.grad for table in tables if table.weight.grad is not None]
    assert all(not grad[0].any() for grad in grads), "padding learns nothing"


def test_a_classs_weights_are_never_longer_than_max_norm() -> None:
    net = build({**TEXTS["textcnn"], "max_norm": 0.5}).eval()
    head = net.body.head
    with torch.no_grad():
        head.weight.mul_(100)
        found = head(torch.eye(head.in_features)) - head.bias
    assert found.T.norm(dim=1).max() <= 0.5 + 1e-5


def vectors(path: Path, kind: str) -> Path:
    known = {"w0": [1.0, 2.0, 3.0], "W1": [9.0, 9.0, 9.0], "w3": [4.0, 5.0, 6.0]}
    if kind == "npz":
        np.savez(path / "v.npz", words=list(known), vectors=np.array(list(known.values()), np.float32))
        return path / "v.npz"
    head = "3 3\n" if kind == "vec" else ""
    lines = [f"{word} {' '.join(map(str, values))}\n" for word, values in known.items()]
    (path / f"v.{kind}").write_text(head + "".join(lines), encoding="utf-8")
    return path / f"v.{kind}"


@pytest.mark.parametrize("kind", ["vec", "txt", "npz"])
@pytest.mark.parametrize("channels", ["tuned", "static", "both"])
def test_pretrained_vectors_are_the_tokens_own(kind: str, channels: str, tmp_path: Path) -> None:
    section = {"pretrained": str(vectors(tmp_path, kind)), "channels": channels}
    net = build({**TEXTS["textcnn"], "embedding": section})
    tables = net.body.embedding.tables
    assert len(tables) == (2 if channels == "both" else 1)
    assert [table.weight.requires_grad for table in tables] == {
        "tuned": [True], "static": [False], "both": [True, False],
    }[channels]  # fmt: skip
    for table in tables:
        assert table.weight[2].tolist() == [1, 2, 3]
        assert table.weight[5].tolist() == [4, 5, 6]
        assert table.weight[3].abs().max() <= 0.25, "no vector: as random ones"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("w0 1 2\nw1 1\n", "line 2 has 1 numbers, those before 2"),
        ("w0 1 x\n", "line 1 holds something else than numbers"),
        ("other 1 2\n", "knows none of the 32 tokens"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(ConfigError, match=message):
        build({**TEXTS["textcnn"], "embedding": {"pretrained": str(tmp_path / "v.txt")}})


def test_a_missing_file_of_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        build({**TEXTS["textcnn"], "embedding": {"pretrained": str(tmp_path / "none.vec")}})
