import numpy as np
import pytest

from convoy.config.augment import AugmentConfig, PresetName, TransformConfig
from convoy.data import presets
from convoy.data.augment import Policy
from convoy.data.device import policy as device_policy
from tests.data.forms import smooth

NAMES = list(presets.PRESETS)


def section(preset: PresetName | None, *transforms: str) -> AugmentConfig:
    steps = [TransformConfig(name=name) for name in transforms]
    return AugmentConfig(online=True, offline_copies=0, seed=0, preset=preset, transforms=steps)


def test_the_schema_names_every_preset_and_its_transforms() -> None:
    described = AugmentConfig.model_fields["preset"].description or ""
    for name, steps in presets.PRESETS.items():
        assert f"{name}: {', '.join(step['name'] for step in steps)}" in described
    allowed = AugmentConfig.model_json_schema()["properties"]["preset"]["anyOf"][0]["enum"]
    assert sorted(allowed) == sorted(NAMES)


def test_a_section_without_a_preset_is_its_own_list() -> None:
    old = {"online": True, "offline_copies": 0, "seed": 0, "transforms": [{"name": "HorizontalFlip"}]}
    config = AugmentConfig.model_validate(old)
    assert (config.preset, config.mixup, config.cutmix) == (None, None, None)
    assert presets.transforms(config) == [{"name": "HorizontalFlip"}]


def test_listed_transforms_come_after_those_of_the_preset() -> None:
    names = [step["name"] for step in presets.transforms(section("digits", "InvertImg", "ToGray"))]
    assert names == ["Affine", "InvertImg", "ToGray"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(28, 28, 1), (40, 32, 3)])
def test_a_preset_works_on_grey_and_colour_pictures_of_any_shape(
    name: PresetName, shape: tuple[int, int, int]
) -> None:
    batch = smooth(32, *shape)
    result = Policy(presets.PRESETS[name])(batch, 1)
    assert result.shape == batch.shape
    assert not np.array_equal(result, batch)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_has_batch_forms_and_device_forms_throughout(name: PresetName) -> None:
    policy = Policy(presets.PRESETS[name])
    assert policy.forms is not None
    assert device_policy.of(policy) is not None


@pytest.mark.parametrize("name", ["digits", "documents"])
def test_glyphs_are_not_mirrored(name: PresetName) -> None:
    names = {step["name"] for step in presets.PRESETS[name]}
    assert not names & {"HorizontalFlip", "VerticalFlip", "Transpose", "D4"}
