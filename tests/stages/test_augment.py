from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convoy import io
from convoy.config.augment import AugmentConfig, CutmixConfig, MixupConfig, PresetName, TransformConfig
from convoy.data import presets
from convoy.data.augment import Policy
from convoy.data.store import Store
from convoy.errors import ConfigError
from convoy.stages.augment import augment
from tests.toys import write_prepared

ROTATE = {"name": "Affine", "rotate": [-30, 30], "p": 1.0}


def config(transform: dict[str, object] = ROTATE, copies: int = 0, **more: Any) -> AugmentConfig:
    steps = [TransformConfig.model_validate(transform)]
    return AugmentConfig(online=True, offline_copies=copies, seed=0, transforms=steps, **more)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    write_prepared(tmp_path / "prepared")
    return tmp_path / "prepared"


def written(prepared: Path, out: Path, section: AugmentConfig) -> dict[str, Any]:
    augment(prepared, section, out)
    policy: dict[str, Any] = io.read_json(out / "policy.json")
    return policy


def test_the_policy_is_written_as_it_was_asked_for_with_a_picture(prepared: Path, tmp_path: Path) -> None:
    policy = written(prepared, tmp_path / "out", config())
    assert policy["transforms"] == [ROTATE]
    assert (policy["preset"], policy["mixup"], policy["cutmix"]) == (None, None, None)
    with Image.open(tmp_path / "out" / "preview.png") as picture:
        assert picture.size == (8 * (96 + 2), 8 * (96 + 2))
    assert not (tmp_path / "out" / "train").exists()


@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_a_preset_is_written_out_in_full(prepared: Path, tmp_path: Path, preset: PresetName) -> None:
    policy = written(prepared, tmp_path / "out", config(preset=preset))
    assert policy["transforms"] == [*presets.PRESETS[preset], ROTATE]
    assert policy["preset"] == preset
    Policy(policy["transforms"])


def test_the_digest_stands_for_what_the_policy_does(prepared: Path, tmp_path: Path) -> None:
    sections = {
        "plain": config(),
        "again": config(),
        "other": config({**ROTATE, "p": 0.5}),
        "copies": config(copies=1),
        "preset": config(preset="digits"),
        "mixup": config(mixup=MixupConfig()),
        "stronger": config(mixup=MixupConfig(alpha=0.4)),
        "cutmix": config(cutmix=CutmixConfig()),
        "offline": config().model_copy(update={"online": False}),
    }
    digests = {
        name: written(prepared, tmp_path / name, section)["digest"] for name, section in sections.items()
    }
    assert digests["plain"] == digests["again"]
    assert len(set(digests.values())) == len(sections) - 1
    assert all(len(digest) == 64 for digest in digests.values())
    by_hand = config().model_copy(
        update={
            "transforms": [TransformConfig.model_validate(s) for s in [*presets.PRESETS["digits"], ROTATE]]
        }
    )
    assert written(prepared, tmp_path / "hand", by_hand)["digest"] == digests["preset"]


def test_the_preview_has_a_row_for_each_kind_of_mixing(prepared: Path, tmp_path: Path) -> None:
    section = config(mixup=MixupConfig(), cutmix=CutmixConfig())
    augment(prepared, section, tmp_path / "out")
    augment(prepared, config(), tmp_path / "plain")
    with (
        Image.open(tmp_path / "out" / "preview.png") as mixed,
        Image.open(tmp_path / "plain" / "preview.png") as plain,
    ):
        assert mixed.size == (8 * (96 + 2), 10 * (96 + 2))
        np.testing.assert_array_equal(np.array(mixed)[: plain.size[1]], np.array(plain))
        rows = np.array(mixed)[plain.size[1] :]
    assert not np.array_equal(rows[:98], rows[98:])


def test_offline_copies_are_new_pictures_of_the_same_samples(prepared: Path, tmp_path: Path) -> None:
    augment(prepared, config(copies=2), tmp_path / "out")
    training, copies = Store.open(prepared / "train"), Store.open(tmp_path / "out" / "train", verify=True)
    assert len(copies) == 2 * len(training)
    np.testing.assert_array_equal(copies.target, np.tile(training.target, 2))
    np.testing.assert_array_equal(copies.id, np.tile(training.id, 2))
    first, second = copies.images[: len(training)], copies.images[len(training) :]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, training.images)


def test_keypoints_of_offline_copies_follow(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.tile(np.array([2.0, 3.0, 2.0], np.float32), (64, 4, 1))
    monkeypatch.setattr(Store, "keypoints", property(lambda store: store._arrays.get("keypoints")))
    original = Store.open.__func__  # type: ignore[attr-defined]

    def opened(cls: type[Store], folder: Path, *, verify: bool = False) -> Store:
        found: Store = original(cls, folder, verify=verify)
        if folder == prepared / "train":
            found._arrays["keypoints"] = points
        return found

    monkeypatch.setattr(Store, "open", classmethod(opened))
    augment(prepared, config({"name": "HorizontalFlip", "p": 1.0}, copies=2), tmp_path / "out")
    copies = Store.open(tmp_path / "out" / "train")
    np.testing.assert_array_equal(copies.keypoints, np.tile([9.0, 3.0, 2.0], (128, 4, 1)))


def test_the_same_inputs_give_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    section = config(copies=1, preset="photos", mixup=MixupConfig(), cutmix=CutmixConfig())
    for name in ("a", "b"):
        augment(prepared, section, tmp_path / name)
    assert io.sha256_tree(tmp_path / "a") == io.sha256_tree(tmp_path / "b")


def test_a_wrong_policy_leaves_no_output(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'Affine'"):
        augment(prepared, config({"name": "Afine"}), tmp_path / "out")
    assert not (tmp_path / "out" / "policy.json").exists()
