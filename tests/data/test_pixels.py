import ast
import io
import random
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from convoy.data import pixels
from convoy.data.pixels import UndecodableImage, decode, inspect, prepare, resize
from tests.data.pictures import MAX_PIXELS, bomb, encoded, gradient

RGB = gradient()
GREY = RGB[:, :, 0]
SPEC = {"height": 8, "width": 8, "channels": 3, "resize": "stretch", "max_pixels": MAX_PIXELS}


def opencv(ending: str, array: NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(ending, array)[1].tobytes())


def test_the_module_imports_only_what_a_bundle_has() -> None:
    tree = ast.parse(Path(pixels.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"numpy", "cv2", "PIL"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "TGA", "SGI", "PCX", "QOI"])
def test_lossless_formats_give_the_exact_pixels(kind: str) -> None:
    np.testing.assert_array_equal(decode(encoded(RGB, kind), 3, MAX_PIXELS), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "JPEG2000", "GIF"])
def test_lossy_formats_give_nearly_the_pixels(kind: str) -> None:
    decoded = decode(encoded(RGB, kind), 3, MAX_PIXELS)
    assert np.abs(decoded.astype(int) - RGB).mean() < 12


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pam", b"P7\nWIDTH 16\nHEIGHT 12\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + RGB.tobytes()),
        ("hdr", opencv(".hdr", (RGB[:, :, ::-1] / 255).astype(np.float32))),
        ("pfm", opencv(".pfm", (RGB[:, :, ::-1] / 255).astype(np.float32))),
    ],
)
def test_formats_that_pillow_does_not_know_are_read_and_bounded(name: str, content: bytes) -> None:
    assert np.abs(decode(content, 3, MAX_PIXELS).astype(int) - RGB).max() <= 2
    assert inspect(content, MAX_PIXELS)["width"] == 16
    with pytest.raises(UndecodableImage) as refused:
        decode(content, 3, 100)
    assert refused.value.reason == "oversized"
    for cut in (1, 40, len(content) // 2):
        with pytest.raises(UndecodableImage):
            decode(content[:-cut], 3, MAX_PIXELS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_rounded_not_cut_off(kind: str) -> None:
    deep = np.array([[0, 128, 129, 257], [32768, 65406, 65407, 65535]], np.uint16)
    wanted = np.array([[0, 0, 1, 1], [128, 254, 255, 255]], np.uint8)
    np.testing.assert_array_equal(decode(opencv(f".{kind.lower()}", deep), 1, MAX_PIXELS)[:, :, 0], wanted)
    colour = np.stack([deep, deep[::-1], deep], axis=2)
    decoded = decode(opencv(f".{kind.lower()}", colour[:, :, ::-1]), 3, MAX_PIXELS)
    np.testing.assert_array_equal(decoded, np.stack([wanted, wanted[::-1], wanted], axis=2))
    np.testing.assert_array_equal(decode(deep, 1, MAX_PIXELS)[:, :, 0], wanted)


def test_sixteen_bits_with_alpha_are_composited() -> None:
    deep = np.zeros((2, 2, 4), np.uint16)
    deep[0, :, 3] = 65535
    np.testing.assert_array_equal(decode(opencv(".png", deep), 1, MAX_PIXELS)[:, :, 0], [[0, 0], [255, 255]])


def test_a_pgm_of_sixteen_bits_is_read() -> None:
    content = b"P5 2 1 65535\n" + np.array([0, 65535], ">u2").tobytes()
    np.testing.assert_array_equal(decode(content, 1, MAX_PIXELS)[:, :, 0], [[0, 255]])


def with_alpha() -> NDArray[np.uint8]:
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[0] = 0
    alpha[1] = 128
    return np.dstack([RGB, alpha])


def test_alpha_is_composited_over_white() -> None:
    decoded = decode(encoded(with_alpha()), 3, MAX_PIXELS)
    np.testing.assert_array_equal(decoded[0], 255)
    np.testing.assert_array_equal(decoded[1], np.rint((RGB[1] * 128.0 + 255 * 127.0) / 255))
    np.testing.assert_array_equal(decoded[2:], RGB[2:])
    np.testing.assert_array_equal(decode(with_alpha(), 3, MAX_PIXELS), decoded)


def test_grey_with_alpha_stays_grey() -> None:
    image = Image.fromarray(GREY).convert("LA")
    image.putalpha(0)
    np.testing.assert_array_equal(decode(encoded(image), 1, MAX_PIXELS), 255)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_the_transparent_colour_of_a_palette_turns_white(kind: str) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    decoded = decode(encoded(image, kind, transparency=0), 3, MAX_PIXELS)
    np.testing.assert_array_equal(decoded[0], [[255, 255, 255], [200, 100, 50]])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_gives_the_channels_that_were_asked_for(mode: str, channels: int) -> None:
    image = Image.fromarray(GREY).convert("I;16") if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    decoded = decode(encoded(image, kind), channels, MAX_PIXELS)
    assert decoded.shape == (12, 16, channels)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_the_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(RGB, kind, exif=exif)
    with Image.open(io.BytesIO(content)) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decode(content, 3, MAX_PIXELS), wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_sixteen_bit_colour_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = encoded(RGB, "PNG", exif=exif)
    at = plain.index(b"eXIf") - 4
    chunk = plain[at : at + 12 + int.from_bytes(plain[at : at + 4], "big")]
    deep = opencv(".png", RGB[:, :, ::-1].astype(np.uint16) * 257)
    content = deep[:33] + chunk + deep[33:]
    np.testing.assert_array_equal(decode(content, 3, MAX_PIXELS), decode(plain, 3, MAX_PIXELS))


def test_the_first_frame_of_an_animation_is_taken() -> None:
    content = encoded(Image.fromarray(RGB), "GIF", save_all=True, append_images=[Image.new("RGB", (16, 12))])
    assert decode(content, 3, MAX_PIXELS).max() > 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no picture at all\n" * 50, "undecodable"),
        (bytes(4000), "undecodable"),
        (encoded(RGB, "JPEG")[:-50], "undecodable"),
        (encoded(RGB, "PNG")[:-20], "undecodable"),
        (bomb(), "oversized"),
        (bomb(100_000, 100_000), "oversized"),
        (np.zeros((0, 3), np.uint8), "empty"),
        (np.zeros((2000, 2000), np.uint8), "oversized"),
        (np.zeros((4, 4), np.float64), "undecodable"),
        (np.zeros((4, 4, 7), np.uint8), "undecodable"),
        (np.zeros(4, np.uint8), "empty"),
    ],
)
def test_what_is_no_sound_picture_is_refused_with_a_reason(
    content: bytes | NDArray[Any], reason: str
) -> None:
    with pytest.raises(UndecodableImage) as refused:
        decode(content, 3, MAX_PIXELS)
    assert refused.value.reason == reason
    assert "0x" not in str(refused.value)


def test_a_wrong_checksum_is_found_though_the_pixels_decode() -> None:
    content = bytearray(encoded(RGB, "PNG", compress_level=0))
    content[content.index(b"IDAT") + 40] ^= 1
    with pytest.raises(UndecodableImage):
        decode(bytes(content), 3, MAX_PIXELS)


@pytest.mark.parametrize("values", [-0.1, 1.5, float("nan"), float("inf")])
def test_floats_without_a_defined_range_are_refused(values: float) -> None:
    content = encoded(Image.fromarray(np.full((4, 4), values, np.float32)), "TIFF")
    with pytest.raises(UndecodableImage):
        decode(content, 1, MAX_PIXELS)


def test_whole_numbers_of_32_bits_are_refused() -> None:
    with pytest.raises(UndecodableImage):
        decode(encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), 1, MAX_PIXELS)


def test_formats_that_start_other_programs_are_no_pictures() -> None:
    with pytest.raises(UndecodableImage):
        decode(encoded(RGB, "EPS"), 3, MAX_PIXELS)
    assert ".eps" not in pixels.extensions()
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".bmp", ".gif", ".hdr"} <= pixels.extensions()


def mutated(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    kind = chance.random()
    if kind < 0.25:
        return content[: chance.randrange(len(content))]
    if kind < 0.4:
        at = chance.randrange(len(content))
        return content[:at] + content[at + chance.randrange(1, 30) :]
    for _ in range(chance.choice([1, 2, 8])):
        damaged[chance.randrange(min(len(damaged), chance.choice([64, 100_000])))] = chance.randrange(256)
    return bytes(damaged)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP", "PAM"])
def test_mutated_files_raise_nothing_but_undecodable(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    if kind == "PAM":
        content = b"P7\nWIDTH 16\nHEIGHT 12\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + RGB.tobytes()
    else:
        content = encoded(RGB, kind)
    chance = random.Random(kind)
    refused = 0
    for _ in range(150):
        damaged = mutated(content, chance)
        for read in (lambda c: decode(c, 3, MAX_PIXELS), lambda c: inspect(c, MAX_PIXELS)):
            try:
                read(damaged)
            except UndecodableImage:
                refused += 1
    assert refused > 20
    capfd.readouterr()  # libtiff writes there


def test_warnings_are_silent_and_their_filters_restored_by_many_threads() -> None:
    before = list(warnings.filters)
    contents = [bomb(), encoded(RGB, "PNG"), encoded(RGB, "JPEG")[:-30]]
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                for content in contents:
                    try:
                        decode(content, 3, MAX_PIXELS)
                    except UndecodableImage:
                        continue
        except BaseException as error:  # noqa: BLE001  # shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert list(warnings.filters) == before


SHAPES = [(12, 16), (16, 12), (3, 50), (50, 3), (1, 1), (8, 8), (200, 7)]


@pytest.mark.parametrize("policy", ["stretch", "fit", "cover"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_policy_gives_the_size_for_any_shape(
    policy: str, shape: tuple[int, int], channels: int
) -> None:
    image = np.full((*shape, channels), 200, np.uint8)
    result = resize(image, 8, 10, policy)
    assert result.shape == (8, 10, channels)
    if policy != "fit":
        assert (result == 200).all()


def test_fit_keeps_the_whole_picture_and_adds_black_borders() -> None:
    result = resize(np.full((10, 20, 3), 255, np.uint8), 10, 10, "fit")
    rows = np.flatnonzero(result.any(axis=(1, 2)))
    assert rows.tolist() == [2, 3, 4, 5, 6]


def test_cover_keeps_the_middle() -> None:
    image = np.zeros((10, 30, 1), np.uint8)
    image[:, 10:20] = 255
    assert (resize(image, 10, 10, "cover") == 255).all()


def test_shrinking_averages_areas() -> None:
    image = np.array([[0, 100], [100, 200]], np.uint8)[:, :, None]
    assert resize(image, 1, 1, "stretch").item() == 100


def test_an_axis_that_shrinks_is_averaged_while_the_other_grows() -> None:
    image = np.tile(np.array([0, 200], np.uint8), (4, 50))[:, :, None]
    np.testing.assert_array_equal(resize(image, 8, 10, "stretch"), 100)


def test_an_unknown_policy_is_an_error() -> None:
    with pytest.raises(ValueError, match="stretch, fit, cover"):
        resize(RGB, 4, 4, "squeeze")


def test_prepare_is_decode_and_resize() -> None:
    content = encoded(RGB, "PNG")
    result = prepare(content, SPEC)
    np.testing.assert_array_equal(result, resize(decode(content, 3, MAX_PIXELS), 8, 8, "stretch"))
    assert result.flags.c_contiguous


@pytest.mark.parametrize("read", [lambda c: decode(c, 3, MAX_PIXELS), lambda c: prepare(c, SPEC)])
def test_reading_changes_no_array_given(read: Callable[[NDArray[np.uint8]], Any]) -> None:
    given = GREY.copy()
    given.flags.writeable = False
    read(given)
    np.testing.assert_array_equal(given, GREY)


def test_the_header_is_reported() -> None:
    assert inspect(encoded(RGB, "JPEG"), MAX_PIXELS) == {
        "width": 16,
        "height": 12,
        "mode": "RGB",
        "format": "JPEG",
    }
    assert inspect(GREY, MAX_PIXELS) == {"width": 16, "height": 12, "mode": "L", "format": "array"}
