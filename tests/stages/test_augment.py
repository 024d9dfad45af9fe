from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convoy import io
from convoy.config.augment import AugmentConfig, TransformConfig
from convoy.data.store import Store
from convoy.errors import ConfigError
from convoy.stages.augment import augment
from tests.toys import write_prepared

ROTATE = {"name": "Affine", "rotate": [-30, 30], "p": 1.0}


def config(transform: dict[str, object] = ROTATE, copies: int = 0) -> AugmentConfig:
    steps = [TransformConfig.model_validate(transform)]
    return AugmentConfig(online=True, offline_copies=copies, seed=0, transforms=steps)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    write_prepared(tmp_path / "prepared")
    return tmp_path / "prepared"


def test_the_policy_is_written_as_it_was_asked_for_with_a_picture(prepared: Path, tmp_path: Path) -> None:
    augment(prepared, config(), tmp_path / "out")
    assert io.read_json(tmp_path / "out" / "policy.json")["transforms"] == [ROTATE]
    with Image.open(tmp_path / "out" / "preview.png") as picture:
        assert picture.size == (8 * (96 + 2), 8 * (96 + 2))
    assert not (tmp_path / "out" / "train").exists()


def test_offline_copies_are_new_pictures_of_the_same_samples(prepared: Path, tmp_path: Path) -> None:
    augment(prepared, config(copies=2), tmp_path / "out")
    training, copies = Store.open(prepared / "train"), Store.open(tmp_path / "out" / "train", verify=True)
    assert len(copies) == 2 * len(training)
    np.testing.assert_array_equal(copies.target, np.tile(training.target, 2))
    np.testing.assert_array_equal(copies.id, np.tile(training.id, 2))
    first, second = copies.images[: len(training)], copies.images[len(training) :]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, training.images)


def test_the_same_inputs_give_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        augment(prepared, config(copies=1), tmp_path / name)
    assert io.sha256_tree(tmp_path / "a") == io.sha256_tree(tmp_path / "b")


def test_a_wrong_policy_leaves_no_output(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'Affine'"):
        augment(prepared, config({"name": "Afine"}), tmp_path / "out")
    assert not (tmp_path / "out" / "policy.json").exists()
