from pathlib import Path

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError
from convoy.scaffold import parameters
from convoy.scaffold.choices import choose
from tests.scaffold.test_choices import seen

TABLE = {"source": "table", "table": "labels.csv", "image_col": "file name", "target": "类别"}


def write(tmp_path: Path, **how: object) -> tuple[Path, str]:
    given = {
        "base": parameters.recipe(None), "header": "first\nsecond", "name": "birds",
        "path": "data/raw/birds", "options": TABLE, "choices": choose(seen({"cat": 40, "dog": 40})),
        **how,
    }  # fmt: skip
    base = given.pop("base")
    text = parameters.text(base, **given)  # type: ignore[arg-type]
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path, text


def test_the_file_is_a_configuration_with_the_data_and_the_choices_in_it(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    config = load(path)
    assert (config.data.path, config.data.target) == ("data/raw/birds", "类别")
    assert (config.registration.model, config.tracking.experiment) == ("birds", "birds")
    chosen = choose(seen({"cat": 40, "dog": 40}))
    assert (config.prepare.height, config.prepare.width) == (chosen.side, chosen.side)
    assert [block.channels for block in getattr(config.model, "blocks", [])] == list(chosen.blocks)
    assert config.train.epochs == chosen.epochs
    assert config.augment.preset is None
    assert [step.name for step in config.augment.transforms][-1] == "HorizontalFlip"
    assert config.registration.gate.max_ece is None


def test_the_recipes_comments_stay_and_the_header_is_the_projects(tmp_path: Path) -> None:
    _, text = write(tmp_path)
    assert text.startswith("# first\n# second\n\ndata:\n  source: table\n")
    assert "# one folder a class" not in text
    assert "# stretch | fit (pad) | cover (crop)" in text
    assert "max_ece: null" in text
    assert "\n\n\n" not in text


def test_a_preset_stands_for_the_recipes_transforms(tmp_path: Path) -> None:
    path, _ = write(tmp_path, choices=choose(seen({"1": 40, "2": 40}, side=28, grey=True)))
    assert load(path).augment.preset == "digits"
    assert load(path).augment.transforms == []


def test_a_recipe_that_was_asked_for_keeps_its_own_numbers(tmp_path: Path) -> None:
    path, _ = write(tmp_path, base=parameters.recipe("digits"), choices=None)
    config = load(path)
    assert (config.model.name, config.prepare.height, config.data.source) == ("mnist_cnn", 28, "table")
    own = tmp_path / "mine.yaml"
    own.write_text(parameters.recipe("digits"), encoding="utf-8")
    assert parameters.recipe(str(own)) == parameters.recipe("digits")


def test_an_unknown_recipe_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe is called 'photo'") as error:
        parameters.recipe("photo")
    assert "image_folder" in error.value.fix
    with pytest.raises(ConfigError, match="no params"):
        write(tmp_path, base="a: [1")


def test_an_older_file_gets_its_modality_and_keeps_every_other_byte() -> None:
    text = parameters.recipe("digits")
    before = "".join(line for line in text.splitlines(keepends=True) if "modality:" not in line)
    after = parameters.with_modality(before)
    assert after is not None
    assert after.replace("  modality: image\n", "") == before
    assert parameters.with_modality(after) is None
    for broken in ("a: [1", "data: 3\n", "data: {}\n", "data: {source: idx}\n", ""):
        assert parameters.with_modality(broken) is None
