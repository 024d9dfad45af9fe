import re
from pathlib import Path

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError


@pytest.fixture
def params(repository: Path, tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text((repository / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def change(path: Path, *replacements: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if text in line)


def test_the_default_parameters_are_accepted(params: Path) -> None:
    assert load(params).model.name == "mnist_cnn"


def test_every_recipe_is_accepted(repository: Path) -> None:
    recipes = sorted((repository / "recipes").glob("*.yaml"))
    assert recipes
    for recipe in recipes:
        load(recipe)


def test_three_typos_give_three_suggestions_with_their_lines(params: Path) -> None:
    change(
        params, ("epochs: 20", "epoch: 15"), ("    lr:", "    lrr:"), ("resize: stretch", "resize: strech")
    )
    with pytest.raises(ConfigError) as caught:
        load(params)
    message = str(caught.value)
    assert "3 problems" in message
    for wrong, right in (("epoch: 15", "epochs"), ("lrr:", "lr"), ("strech", "stretch")):
        line = line_of(params, wrong)
        assert re.search(rf"params.yaml:{line}:\d+: .*did you mean '{right}'", message)


def test_an_error_inside_a_list_names_its_place(params: Path) -> None:
    change(
        params,
        ("name: mnist_cnn", "name: cnn"),
        ("  dropout: 0.5\n", "  blocks:\n    - channels: 8\n    - chanels: 8\n"),
    )
    with pytest.raises(
        ConfigError, match=rf":{line_of(params, 'chanels')}:7: unknown key 'model.blocks.1.chan"
    ):
        load(params)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 20", "epochs: '15'", "train.epochs: input should be a valid integer, not '15'"),
        ("epochs: 20", "epochs: 1", "schedule.warmup_epochs (1.0) must be less than epochs (1)"),
        ("val: 0.1", "val: 0.8", "leave less than a tenth to train on"),
        (
            "name: adamw",
            "name: adamm",
            "'adamm' is none of sgd, adam, adamw, adagrad, rmsprop, lion, muon; did you mean 'adam'",
        ),
        ("threads: auto", "threads: 0", "must be auto or a whole number of at least 1, not 0"),
        ("  seed: 0\n  epochs", "  epochs", "missing key 'train.seed'"),
        ("data:\n", "daten:\n", "unknown key 'daten'; did you mean 'data'"),
    ],
)
def test_a_wrong_value_is_explained(params: Path, old: str, new: str, message: str) -> None:
    change(params, (old, new))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(params)


def test_nesterov_without_momentum_is_an_impossible_combination(params: Path) -> None:
    sgd = "name: sgd\n    nesterov: true\n    momentum: 0.0"
    change(params, ("name: adamw ", f"{sgd} "))
    with pytest.raises(ConfigError, match="nesterov: true needs momentum above 0"):
        load(params)


def test_a_duplicate_key_is_refused_with_its_line(params: Path) -> None:
    change(params, ("  epochs: 20\n", "  epochs: 20\n  epochs: 21\n"))
    with pytest.raises(ConfigError) as caught:
        load(params)
    assert caught.value.where.endswith(f":{line_of(params, 'epochs: 21')}:3")


@pytest.mark.parametrize(
    "content", [b"", b"- a list\n", b"a: [1\n", b"a: \xff\n", b"!!python/object:os.system {}\n"]
)
def test_what_is_no_params_file_is_a_config_error(params: Path, content: bytes) -> None:
    params.write_bytes(content)
    with pytest.raises(ConfigError):
        load(params)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "params.yaml")


def test_a_byte_order_mark_does_no_harm(params: Path) -> None:
    params.write_bytes(b"\xef\xbb\xbf" + params.read_bytes())
    load(params)
