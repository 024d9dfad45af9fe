"""Sections `augment` and `train.loader` as they are read from params.yaml."""

import re
from pathlib import Path

import pytest

from convoy.config.augment import CutmixConfig, MixupConfig
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.errors import ConfigError


@pytest.fixture
def recipe(repository: Path) -> str:
    return (repository / "recipes" / "digits.yaml").read_text(encoding="utf-8")


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path / "params.yaml")


def with_augment(recipe: str, line: str) -> str:
    return recipe.replace("  offline_copies: 0", f"  {line}\n  offline_copies: 0", 1)


def with_train(recipe: str, line: str) -> str:
    return recipe.replace("  batch_size: 64", f"  {line}\n  batch_size: 64", 1)


def test_a_file_from_before_there_were_presets_means_what_it_meant(tmp_path: Path, recipe: str) -> None:
    config = read(tmp_path, recipe)
    assert (config.augment.preset, config.augment.mixup, config.augment.cutmix) == (None, None, None)
    assert (config.train.loader.workers, config.train.loader.prefetch) == ("auto", 4)


def test_mixing_has_the_papers_strengths_unless_others_are_given(tmp_path: Path, recipe: str) -> None:
    section = read(tmp_path, with_augment(recipe, "mixup: {}\n  cutmix: {alpha: 0.5}")).augment
    assert section.mixup == MixupConfig(alpha=0.2, p=1.0)
    assert section.cutmix == CutmixConfig(alpha=0.5, p=0.5)
    assert read(tmp_path, with_augment(recipe, "mixup: null\n  preset: photos")).augment.mixup is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("preset: photo", "augment.preset: 'photo' is none of digits, photos, documents, medical_grey"),
        ("preset: photo", "did you mean 'photos'"),
        ("mixup: {alfa: 1.0}", "unknown key 'augment.mixup.alfa'; did you mean 'alpha'"),
        ("mixup: {alpha: 0.0}", "augment.mixup.alpha: input should be greater than 0"),
        ("cutmix: {p: 1.5}", "augment.cutmix.p: input should be less than or equal to 1"),
    ],
)
def test_a_mistake_in_augment_is_named_with_its_line(
    tmp_path: Path, recipe: str, line: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read(tmp_path, with_augment(recipe, line))
    assert re.search(r"params\.yaml:\d+:\d+: ", caught.value.what)


@pytest.mark.parametrize("workers", ["auto", "0", "7"])
def test_workers_of_the_loader(tmp_path: Path, recipe: str, workers: str) -> None:
    config = read(tmp_path, with_train(recipe, f"loader: {{workers: {workers}, prefetch: 9}}"))
    assert str(config.train.loader.workers) == workers
    assert config.train.loader.prefetch == 9


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "loader: {workers: -1}",
            "train.loader.workers: must be auto or a whole number of at least 0, not -1",
        ),
        ("loader: {workers: all}", "must be auto or a whole number of at least 0, not 'all'"),
        ("loader: {prefetch: 0}", "train.loader.prefetch: input should be greater than or equal to 1"),
        ("loader: {worker: 1}", "unknown key 'train.loader.worker'; did you mean 'workers'"),
    ],
)
def test_a_mistake_in_the_loader_is_named(tmp_path: Path, recipe: str, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        read(tmp_path, with_train(recipe, line))
