"""`convoy lr-find` and `convoy gradcheck` in a project with prepared toy data."""

import json
from pathlib import Path

import pytest
from torch import Tensor, nn

from convoy import layout
from convoy.errors import ConfigError, IntegrityError
from tests.registry import fixtures
from tests.registry.fixtures import PARAMS, Command
from tests.toys import write_policy, write_prepared

convoy = fixtures.convoy


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    write_prepared(tmp_path / layout.PREPARE)
    write_policy(tmp_path / layout.AUGMENT, [{"name": "HorizontalFlip", "p": 0.5}])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_a_range_test_suggests_a_rate_and_changes_nothing(project: Path, convoy: Command) -> None:
    before = files(project)
    answer = convoy("lr-find", "--steps", 60)
    assert "the loss falls fastest at" in answer.out
    assert answer.out.rstrip().endswith(".convoy/lr-find.html")
    assert files(project) - before == {".convoy/lr-find.html"}
    assert (project / "params.yaml").read_text(encoding="utf-8") == PARAMS
    told = json.loads(convoy("lr-find", "--steps", 60, "--json", "--out", "rates.html").out)
    assert told["page"] == "rates.html"
    assert told["configured"] == 0.01
    assert told["lrs"][0] == pytest.approx(1e-6)
    assert len(told["losses"]) == len(told["lrs"]) <= 60


def test_a_range_that_is_none_is_refused(project: Path, convoy: Command) -> None:
    assert isinstance(convoy("lr-find", "--from", "1", "--to", "0.1").error, ConfigError)


def test_the_gradients_of_the_configured_model_are_right(project: Path, convoy: Command) -> None:
    answer = convoy("gradcheck")
    assert answer.error is None
    assert "by hand" in answer.out
    assert "WRONG" not in answer.out
    told = json.loads(convoy("gradcheck", "--json").out)
    assert told["passed"]
    rows = told["derivatives"]
    assert {"Tanh()", "loss", "network and loss"} <= {row["what"] for row in rows}
    assert all(row["error"] < 1e-6 and row["entries"] for row in rows)


def test_a_wrong_gradient_ends_with_4_and_its_name(
    project: Path, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: nn.Tanh, x: Tensor) -> Tensor:
        return x.tanh() + x.detach()  # autograd does not see the second part

    monkeypatch.setattr(nn.Tanh, "forward", cut)
    answer = convoy("gradcheck")
    assert isinstance(answer.error, IntegrityError)
    assert answer.error.exit_code == 4
    assert "1, input" in answer.error.where
    assert "WRONG" in answer.out


@pytest.mark.parametrize("command", ["lr-find", "gradcheck"])
def test_what_is_fitted_has_no_gradients_to_look_at(command: str, project: Path, convoy: Command) -> None:
    text = PARAMS.replace("model: {name: lenet5}", "model: {name: hog}")
    assert text != PARAMS
    (project / "params.yaml").write_text(text, encoding="utf-8")
    error = convoy(command).error
    assert isinstance(error, ConfigError)
    assert "hog is fitted at once" in error.what
