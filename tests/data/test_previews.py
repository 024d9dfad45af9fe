from pathlib import Path

import numpy as np
import pytest

from convoy.data.previews import SIDE, previews
from convoy.data.sources._base import Reader
from convoy.errors import DataError
from tests.data.pictures import MAX_PIXELS, bomb, encoded, gradient, noise


def reader(contents: dict[str, object]) -> Reader:
    def read(path: str) -> bytes:
        if path not in contents:
            raise DataError("it is gone")
        return contents[path]  # type: ignore[return-value]

    return Reader(read)


def shown(content: object, cache: Path | None = None) -> np.ndarray | None:
    (found,) = previews(["a" * 32], ["x"], reader({"x": content}), MAX_PIXELS, cache)
    return found


def test_small_pictures_are_shown_pixel_by_pixel() -> None:
    np.testing.assert_array_equal(shown(encoded(gradient())), gradient())
    array = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    np.testing.assert_array_equal(shown(array), array[:, :, None])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced_and_keep_their_shape(kind: str) -> None:
    found = shown(encoded(gradient(400, 800), kind))
    assert found is not None
    assert found.shape == (SIDE // 2, SIDE, 3)
    assert found[0, -1, 0] > 240
    assert found[-1, 0, 1] > 240


def test_a_jpeg_is_turned_as_its_orientation_says() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    found = shown(encoded(gradient(40, 80), "JPEG", exif=exif.tobytes()))
    assert found is not None
    assert found.shape == (80, 40, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", bomb(), b"\xff\xd8\xff\xe0 cut"])
def test_what_does_not_open_is_none(content: bytes, tmp_path: Path) -> None:
    assert shown(content, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("picture", [gradient(300, 200), noise(1), gradient()[:, :, 0]])
def test_the_cache_gives_the_same_pixels_and_opens_nothing(picture: np.ndarray, tmp_path: Path) -> None:
    plain = shown(encoded(picture, "JPEG"))
    np.testing.assert_array_equal(shown(encoded(picture, "JPEG"), tmp_path), plain)
    (again,) = previews(["a" * 32], ["x"], reader({}), MAX_PIXELS, tmp_path)
    np.testing.assert_array_equal(again, plain)
    (file,) = tmp_path.rglob("*.png")
    file.write_bytes(b"damaged")
    np.testing.assert_array_equal(shown(encoded(picture, "JPEG"), tmp_path), plain)


def test_pictures_come_in_the_order_that_was_asked_for() -> None:
    pictures = {str(n): encoded(noise(n)) for n in range(40)}
    names = [*pictures, "gone"]
    found = previews(names, names, reader(pictures), MAX_PIXELS)
    assert found[-1] is None
    for number in range(40):
        np.testing.assert_array_equal(found[number], noise(number))
