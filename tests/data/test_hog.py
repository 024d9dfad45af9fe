import numpy as np
import pytest

from convoy.data import hog


@pytest.mark.parametrize("side", [4, 5, 7, 8])
def test_cells_are_summed_as_numpy_does(side: int) -> None:
    values = np.random.default_rng(0).random((9, 6, side, 5, side), dtype=np.float32)
    np.testing.assert_allclose(hog._sums(values), values.sum(axis=(2, 4)), rtol=1e-6)


def test_one_channel_tells_as_much_as_three_equal_ones() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    np.testing.assert_array_equal(hog.features(grey), hog.features(np.repeat(grey, 3, axis=3)))
