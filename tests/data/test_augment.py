import re

import numpy as np
import pytest

from convoy.data.augment import Policy
from convoy.errors import ConfigError
from tests.toys import images


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_seed_gives_the_same_batch(channels: int) -> None:
    batch = images(6, channels=channels)
    policy = Policy([{"name": "Affine", "rotate": [-20, 20], "p": 1.0}, {"name": "GaussNoise", "p": 0.5}])
    first, again, other = policy(batch, 5), policy(batch, 5), policy(batch, 6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == batch.shape
    assert first.dtype == np.uint8


def test_samples_of_one_batch_are_changed_differently() -> None:
    batch = np.repeat(images(1), 4, axis=0)
    result = Policy([{"name": "Affine", "rotate": [-40, 40], "p": 1.0}])(batch, 0)
    assert len({image.tobytes() for image in result}) == 4


def test_the_given_batch_stays_as_it_was() -> None:
    batch = images(4)
    before = batch.copy()
    Policy([{"name": "InvertImg", "p": 1.0}])(batch, 0)
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "Afine"}, "has no transform 'Afine'; did you mean 'Affine'"),
        ({"name": "Affine", "rotat": 3}, "no argument 'rotat'; did you mean 'rotate'"),
        ({"name": "Affine", "rotate": "much"}, "Affine refuses its arguments"),
        ({"name": "GaussianBlur", "p": 3.0}, "GaussianBlur refuses its arguments"),
        ({"name": "Compose"}, "has no transform 'Compose'"),
        ({"name": "os.system"}, "has no transform 'os.system'"),
    ],
)
def test_a_wrong_policy_is_refused_with_a_reason(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Policy([spec])


def test_a_policy_that_changes_the_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="turns"):
        Policy([{"name": "Resize", "height": 5, "width": 5, "p": 1.0}])(images(2), 0)
