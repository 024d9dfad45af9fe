import numpy as np
import pytest

from convoy.data import ragged
from convoy.data.modalities.sequence.augmenting import Policy
from convoy.errors import ConfigError

NAMES = {
    "jitter": "sigma", "scaling": "sigma", "time_warp": "sigma", "window_slice": "share", "masking": "share",
    "shift": "share",
}  # fmt: skip
Batch = dict[str, np.ndarray]


def batch(count: int = 60) -> Batch:
    """Sequences of 1 to 20 steps and two channels, which rise from 1."""
    samples = [np.arange(1, 2 + n % 20)[:, None] + np.array([0.0, 100.0]) for n in range(count)]
    values, bounds = ragged.of(samples, "<f4")
    return {"signal": values, "signal.offsets": bounds, "target": np.zeros(count, np.int64)}


def each(found: Batch) -> list[np.ndarray]:
    return np.split(found["signal"], found["signal.offsets"][1:-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_key_decides_and_every_sequence_keeps_a_step(name: str) -> None:
    policy = Policy([{"name": name, NAMES[name]: 0.5}])
    first, again, other = policy(batch(), 1), policy(batch(), 1), policy(batch(), 2)
    np.testing.assert_array_equal(first["signal"], again["signal"])
    assert not np.array_equal(first["signal"], other["signal"])
    assert min(map(len, each(first))) >= 1
    assert first["signal"].dtype == np.float32
    assert np.isfinite(first["signal"]).all()


@pytest.mark.parametrize("name", NAMES)
def test_p_of_0_changes_nothing(name: str) -> None:
    found = Policy([{"name": name, NAMES[name]: 0.5, "p": 0}])(batch(), 3)
    np.testing.assert_allclose(found["signal"], batch()["signal"], rtol=1e-6)
    np.testing.assert_array_equal(found["signal.offsets"], batch()["signal.offsets"])


@pytest.mark.parametrize("name", NAMES)
def test_what_a_sequence_becomes_does_not_depend_on_the_values_of_its_neighbours(name: str) -> None:
    policy, whole = Policy([{"name": name, NAMES[name]: 0.5}]), batch()
    other = {**whole, "signal": whole["signal"].copy()}
    start = whole["signal.offsets"][30]
    other["signal"][start:] += 1000
    np.testing.assert_array_equal(
        policy(whole, 7)["signal"][: start // 4], policy(other, 7)["signal"][: start // 4]
    )


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    found = Policy([{"name": "jitter", "sigma": 0.5}])(batch(2000), 1)["signal"] - batch(2000)["signal"]
    assert abs(found.std() - 0.5) < 0.02


def test_scaling_multiplies_each_channel_of_a_sequence_by_one_factor() -> None:
    for before, after in zip(each(batch()), each(Policy([{"name": "scaling"}])(batch(), 1)), strict=True):
        factors = after / before
        np.testing.assert_allclose(factors, np.broadcast_to(factors[:1], factors.shape), rtol=1e-4)


def test_warped_time_keeps_the_ends_and_the_order() -> None:
    found = each(Policy([{"name": "time_warp", "sigma": 0.5}])(batch(), 1))
    for before, after in zip(each(batch()), found, strict=True):
        np.testing.assert_allclose(after[[0, -1]], before[[0, -1]], rtol=1e-5)
        assert (np.diff(after, axis=0) >= -1e-4).all()
    assert any(not np.allclose(before, after) for before, after in zip(each(batch()), found, strict=True))


def test_a_slice_is_one_piece_of_its_share() -> None:
    found = each(Policy([{"name": "window_slice", "share": 0.5}])(batch(), 1))
    for before, after in zip(each(batch()), found, strict=True):
        assert len(after) == max(round(len(before) * 0.5), min(len(before), 2))
        np.testing.assert_array_equal(np.diff(after[:, 0]), 1)


def test_a_mask_is_one_piece_of_zeros_in_all_channels() -> None:
    found = each(Policy([{"name": "masking", "share": 0.4}])(batch(), 1))
    for before, after in zip(each(batch()), found, strict=True):
        hidden = np.flatnonzero((after == 0).all(axis=1))
        assert len(hidden) == round(len(before) * 0.4)
        assert len(hidden) == 0 or hidden[-1] - hidden[0] == len(hidden) - 1


def test_a_shift_repeats_the_end_values() -> None:
    found = each(Policy([{"name": "shift", "share": 0.5}])(batch(), 1))
    for before, after in zip(each(batch()), found, strict=True):
        moved = after[:, 0] - before[:, 0]
        inside = (after[:, 0] > 1) & (after[:, 0] < len(before))
        assert len(set(moved[inside].tolist())) <= 1
        assert abs(moved).max() <= 0.5 * len(before) + 0.5


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "jiter"}, "did you mean 'jitter'"),
        ({"name": "jitter", "share": 0.1}, "jitter has no argument 'share'"),
        ({"name": "jitter", "sigma": -1}, "sigma is -1, no number from 0 to 10"),
        ({"name": "masking", "share": 0.95}, "share is 0.95, no number from 0 to 0.9"),
        ({"name": "time_warp", "knots": 2.5}, "knots is 2.5, no whole number from 1 to 32"),
        ({"name": "shift", "p": "always"}, "p is 'always', no number from 0 to 1"),
    ],
)
def test_what_is_no_transform_is_refused_with_a_way_out(step: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Policy([step])
