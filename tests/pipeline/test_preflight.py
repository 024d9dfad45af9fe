from pathlib import Path
from typing import Any

import pytest

from convoy.config.load import load
from convoy.config.model import CnnConfig, ConvBlock
from convoy.config.schema import Config
from convoy.errors import ConfigError
from convoy.pipeline.preflight import preflight


@pytest.fixture
def config(repository: Path) -> Config:
    return load(repository / "recipes" / "digits.yaml")


def with_augment(config: Config, **changes: Any) -> Config:
    section = type(config.augment).model_validate({**config.augment.model_dump(), **changes})
    return config.model_copy(update={"augment": section})


def test_the_default_recipe_passes(config: Config) -> None:
    preflight(config)


@pytest.mark.parametrize("preset", ["digits", "photos", "documents", "medical_grey"])
def test_every_preset_passes(config: Config, preset: str) -> None:
    preflight(with_augment(config, preset=preset, transforms=[]))


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"name": "Afine"}, "did you mean 'Affine'"),
        (
            {"name": "RandomCrop", "height": 64, "width": 64},
            "RandomCrop wants 64 × 64 of pictures of 28 × 28",
        ),
        (
            {"name": "Resize", "height": 5, "width": 5, "p": 1.0},
            "turns pictures of 28 × 28 × 1 into 5 × 5 × 1",
        ),
        ({"name": "RandomFog", "p": 1.0}, "RandomFog cannot work on pictures of 28 × 28 × 1"),
    ],
)
def test_a_policy_that_cannot_work_is_found_before_anything_runs(
    config: Config, transform: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        preflight(with_augment(config, preset=None, transforms=[transform]))


def test_a_model_that_does_not_fit_is_found_before_anything_runs(config: Config) -> None:
    deep = CnnConfig(name="cnn", blocks=[ConvBlock(channels=2)] * 6)
    with pytest.raises(ConfigError, match="block 4 pools an image of 1×1"):
        preflight(config.model_copy(update={"model": deep}))
