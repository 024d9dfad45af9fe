"""Damaged pictures: none may crash, hang or be taken for what it is not; each refused says why."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convoy.data import pixels, workers
from convoy.data.glance import NotOpened, glance, quiet
from convoy.data.workers import Died
from tests.data.mutants import FORMATS, Mutant, bombs, mutants, wholes
from tests.data.pictures import MAX_PIXELS, encoded, gradient

REASONS = {"empty", "truncated", "undecodable", "oversized"}
_SECONDS, _MEGABYTES = 5.0, 512
# Formats that the damaged file of a format may still soundly be.
_KIN = {"JPEG": {"MPO"}, "BMP": {"DIB"}, "PNG": set(), "GIF": set(), "TIFF": set(), "WEBP": set()}


def opening() -> Callable[[Mutant], tuple[str, str, str]]:
    """In a child: (verdict, format or detail, what is wrong with the verdict)."""
    quiet()
    return judged


def judged(mutant: Mutant) -> tuple[str, str, str]:
    try:
        seen = glance(mutant.content, MAX_PIXELS)
    except NotOpened as error:
        return error.reason, error.detail, disagreement(mutant.content, None)
    height, width = seen.image.shape[:2]
    if seen.image.dtype != np.uint8 or {height, width} != {seen.height, seen.width}:
        return (
            "accepted",
            seen.format,
            f"{seen.image.shape} {seen.image.dtype}, stated {seen.width} x {seen.height}",
        )
    return "accepted", seen.format, disagreement(mutant.content, seen.image)


def disagreement(content: bytes, image: Any) -> str:
    """Empty where `pixels`, by which pictures are prepared and served, comes to the same."""
    try:
        decoded = pixels.decode(content, 3, MAX_PIXELS)
    except pixels.UndecodableImage as error:
        return "" if image is None else f"pixels refuses it: {error}"
    if image is None:
        return "pixels accepts it"
    return (
        ""
        if np.array_equal(np.broadcast_to(image, decoded.shape), decoded)
        else "pixels sees another picture"
    )


def check(count: int, seed: int) -> None:
    made = mutants(count, seed)
    results = list(workers.run(opening, made, seconds=_SECONDS, memory_mb=_MEGABYTES))
    assert len(results) == count
    died = [
        (mutant.format, mutant.damage, result)
        for mutant, result in zip(made, results, strict=True)
        if isinstance(result, Died)
    ]
    assert died == []
    verdicts: Counter[str] = Counter()
    for number, (mutant, result) in enumerate(zip(made, results, strict=True)):
        assert not isinstance(result, Died)
        verdict, detail, wrong = result
        what = f"mutant {number} of seed {seed}: {mutant.damage} of {mutant.format}: {verdict}, {detail}"
        assert wrong == "", f"{what}: {wrong}"
        if verdict == "accepted":
            assert detail == mutant.format or detail in _KIN[mutant.format], what
            assert mutant.damage != "swapped", what
        else:
            assert verdict in REASONS, what
            assert detail, what
        verdicts[verdict] += 1
    assert verdicts["accepted"] < count / 2
    assert all(verdicts[reason] for reason in ("truncated", "undecodable", "oversized", "accepted")), verdicts


def test_no_damaged_picture_harms_or_deceives() -> None:
    check(500, seed=1)


@pytest.mark.slow
def test_none_of_twenty_thousand_damaged_pictures_harms_or_deceives() -> None:
    check(20_000, seed=2)


@pytest.mark.parametrize(
    ("kind", "content"), wholes(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_sound_pictures_open_as_what_they_are(kind: str, content: bytes) -> None:
    seen = glance(content, MAX_PIXELS)
    assert seen.format == kind
    assert disagreement(content, seen.image) == ""


@pytest.mark.parametrize(
    ("kind", "content"), bombs(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_bombs_are_refused_unopened(kind: str, content: bytes) -> None:
    assert len(content) < 25_000
    with pytest.raises(NotOpened, match="13000 x 13000") as error:
        glance(content, 50_000_000)
    assert error.value.reason == "oversized"


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_blocks": 2}], ids=str)
def test_a_truncated_jpeg_is_refused_as_such(kept: float, how: dict[str, Any]) -> None:
    content = encoded(gradient(120, 160), "JPEG", quality=95, **how)
    with pytest.raises(NotOpened) as error:
        glance(content[: int(len(content) * kept)], MAX_PIXELS)
    assert error.value.reason == "truncated"


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_picture_of_any_format_is_truncated(kind: str) -> None:
    content = encoded(gradient(120, 160), kind)
    with pytest.raises(NotOpened) as error:
        glance(content[: len(content) // 2], MAX_PIXELS)
    assert error.value.reason == "truncated"


def test_the_short_way_is_taken_and_the_ending_of_the_name_means_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = [encoded(gradient(), kind) for kind in ("PNG", "JPEG")]
    expected = [pixels.decode(content, 3, MAX_PIXELS) for content in plain]
    monkeypatch.setattr(pixels, "decode", lambda *_: pytest.fail("took the long way"))
    for content, picture in zip(plain, expected, strict=True):
        np.testing.assert_array_equal(glance(content, MAX_PIXELS).image, picture)


def test_pictures_that_are_turned_by_their_exif_data_are_upright() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(gradient(12, 16), "JPEG", exif=exif, quality=95)
    seen = glance(content, MAX_PIXELS)
    assert (seen.width, seen.height) == (16, 12)
    assert seen.image.shape == (16, 12, 3)
    np.testing.assert_array_equal(seen.image, pixels.decode(content, 3, MAX_PIXELS))
