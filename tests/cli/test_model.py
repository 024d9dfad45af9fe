"""`convoy model show`: the layer table from params.yaml alone."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from convoy.cli.app import app
from convoy.errors import ConfigError
from convoy.io import write_json
from tests.project import ROOT


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = (repository / "recipes" / "digits.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convoy(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["model", "show", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.usefixtures("project")
def test_the_table_has_a_line_a_layer_and_says_what_it_assumes() -> None:
    lines = convoy().splitlines()
    assert lines[0].split() == ["layer", "name", "type", "output", "parameters", "multiply-adds", "sees"]
    assert lines[1].split() == ["0", "0", "Conv2d", "32×28×28", "832", "627,200", "5×5"]
    assert lines[-3].split() == ["3", "10", "Linear", "10", "10,250", "10,240", "all"]
    assert lines[-2].startswith("mnist_cnn for pictures of 1×28×28: 3,274,634 parameters, 13,883,904 ")
    assert lines[-1] == "10 outputs are assumed: no data are prepared yet"


def test_prepared_data_tell_the_number_of_outputs(project: Path) -> None:
    write_json(project / "artifacts" / "prepare" / "preprocessor.json", {"classes": list("abc")})
    text = convoy()
    assert "assumed" not in text
    assert json.loads(convoy("--json"))["rows"][-1]["shape"] == [3]


@pytest.mark.usefixtures("project")
def test_json_holds_the_same_numbers() -> None:
    document = json.loads(convoy("--json"))
    assert document["model"] == "mnist_cnn"
    assert document["parameters"] == sum(row["parameters"] for row in document["rows"]) == 3_274_634
    assert document["multiply_adds"] == sum(row["multiply_adds"] for row in document["rows"])
    assert document["rows"][0]["sees"] == [5, 5]


@pytest.mark.parametrize("name", ["net.svg", "net.png"])
def test_it_draws_into_a_file(project: Path, name: str) -> None:
    assert f"written: {name}" in convoy("--out", name)
    start = {"net.svg": b"<?xml", "net.png": b"\x89PNG"}[name]
    assert (project / name).read_bytes().startswith(start)


@pytest.mark.usefixtures("project")
def test_other_kinds_of_drawing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot draw into net\.gif"):
        convoy("--out", "net.gif")


@pytest.mark.parametrize("name", ["textcnn", "cnn1d", "lstm", "gru"])
def test_models_of_texts_are_shown_for_a_text_of_the_longest_kind(name: str, project: Path) -> None:
    text = (ROOT / "recipes" / "trec.yaml").read_text(encoding="utf-8")
    own = [
        line for line in text.splitlines(keepends=True) if not line.startswith(("  kernels:", "  filters:"))
    ]
    (project / "params.yaml").write_text(
        "".join(own).replace("name: textcnn", f"name: {name}"), encoding="utf-8"
    )
    words = ["<pad>", "<unk>", *map(str, range(98))]
    write_json(
        project / "artifacts" / "prepare" / "preprocessor.json",
        {"classes": list("abcdef"), "vocabulary": words},
    )
    lines = convoy().splitlines()
    assert lines[0].split() == ["layer", "name", "type", "output", "parameters", "multiply-adds"]
    assert lines[1].split()[2:5] == ["Embedding", "64×300", "30,000"]
    assert lines[-1].startswith(f"{name} for texts of 64 tokens, 100 of them known: ")
    document = json.loads(convoy("--json"))
    assert document["parameters"] == sum(row["parameters"] for row in document["rows"])
    assert document["rows"][-1]["shape"] == [6]


def fitted(project: Path, section: str) -> None:
    """The recipe with another model section."""
    text = (project / "params.yaml").read_text(encoding="utf-8")
    before, after = text.split("model:\n  name: mnist_cnn")
    rest = after[after.index("\nobjective:") :]
    (project / "params.yaml").write_text(f"{before}model:\n{section}\n{rest}", encoding="utf-8")


def test_a_model_that_is_fitted_says_so_and_what_is_not_known_yet(project: Path) -> None:
    fitted(project, "  name: hog\n  classifier: {name: logistic, C: 2.0}")
    lines = convoy().splitlines()
    assert lines[0] == "hog: 1,296 features, computed"
    assert lines[1] == "logistic (C 2.0, max_iterations 1000): 10 outputs"
    assert "nothing is fitted yet" in lines[3]
    told = json.loads(convoy("--json"))
    assert told["classifier"] == {"name": "logistic", "C": 2.0, "max_iterations": 1000}
    assert told["fitted"] is None


def test_a_model_that_was_fitted_tells_its_sizes(project: Path) -> None:
    fitted(project, "  name: sift\n  words: 7")
    train = project / "artifacts" / "train"
    write_json(train / "training.json", {"model": {"name": "sift", "classifier": {"name": "linear_svm"}}})
    save_file({"body.head.weight": torch.zeros(10, 35)}, train / "model.safetensors")
    assert json.loads(convoy("--json"))["fitted"] == {"body.head.weight": [10, 35]}
    assert "  body.head.weight  10×35" in convoy().splitlines()
    assert convoy().splitlines()[0] == "sift: 35 features, learned on the training split"


def test_a_model_that_is_fitted_is_not_drawn(project: Path) -> None:
    fitted(project, "  name: hog")
    with pytest.raises(ConfigError, match="hog has no layers to draw"):
        convoy("--out", "net.svg")
