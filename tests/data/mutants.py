"""Pictures in six formats, and ways to damage them."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.data.pictures import bomb, encoded, gradient, noise

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
_HEADS = {
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "GIF": b"GIF89a",
    "BMP": b"BM",
    "TIFF": b"II*\x00\x08\x00\x00\x00",
    "WEBP": b"RIFF\x00\x01\x00\x00WEBPVP8 ",
}


@dataclass(frozen=True)
class Mutant:
    """A file that may be damaged: what it was, what was done to it, what it is now."""

    format: str
    damage: str
    content: bytes


def wholes() -> list[tuple[str, bytes]]:
    """(format, content) of sound pictures: grey, colour, palettes, 16 bits, CMYK, alpha, animated."""
    colour, grey = gradient(40, 56), noise(1, 33, 47)[:, :, 0]
    deep = (np.arange(30 * 20, dtype=np.uint16) * 109).reshape(30, 20)
    clear = np.dstack([colour, np.full(colour.shape[:2], 90, np.uint8)])
    cmyk = Image.fromarray(colour).convert("CMYK")
    palette = Image.fromarray(colour).convert("P")
    frames = [Image.fromarray(np.roll(grey, shift, axis=1)) for shift in range(4)]
    pictures = [(kind, encoded(picture, kind)) for kind in FORMATS for picture in (colour, grey)]
    pictures += [
        ("JPEG", encoded(colour, "JPEG", progressive=True, quality=95)),
        ("JPEG", encoded(noise(2, 64, 64), "JPEG", restart_marker_blocks=2)),
        ("JPEG", encoded(cmyk, "JPEG")),
        ("PNG", encoded(deep)),
        ("PNG", encoded(clear)),
        ("PNG", encoded(palette)),
        ("PNG", encoded(Image.fromarray(grey > 128))),
        ("GIF", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])),
        ("BMP", encoded(palette, "BMP")),
        ("TIFF", encoded(deep, "TIFF")),
        ("TIFF", encoded(cmyk, "TIFF", compression="tiff_lzw")),
        ("TIFF", encoded(colour, "TIFF", compression="tiff_adobe_deflate")),
        ("TIFF", encoded(colour, "TIFF", compression="jpeg")),
        ("WEBP", encoded(colour, "WEBP", lossless=True)),
        ("WEBP", encoded(frames[0].convert("RGB"), "WEBP", save_all=True, append_images=frames[1:])),
    ]
    return pictures


def bombs() -> list[tuple[str, bytes]]:
    """(format, content) of small files that claim 169 megapixels."""
    side = 13_000
    gif = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    gif += b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x44\x01\x00;"
    sizes = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 8)]  # tag, type, value
    entries = [*sizes, (262, 3, 1), (273, 4, 122), (277, 3, 1), (278, 4, side), (279, 4, 20_000)]
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries))
    tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(4)
    bmp = b"BM" + struct.pack("<IIIIiiHHIIIIII", 20_054, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    vp8 = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", side, side) + bytes(500)
    webp = b"RIFF" + struct.pack("<I", len(vp8) + 12) + b"WEBPVP8 " + struct.pack("<I", len(vp8)) + vp8
    jpeg = bytearray(encoded(gradient(40, 56), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return [
        ("PNG", bomb(side, side)),
        ("GIF", gif),
        ("TIFF", tiff + bytes(20_000)),
        ("BMP", bmp + bytes(20_000)),
        ("WEBP", webp),
        ("JPEG", bytes(jpeg)),
    ]


def mutants(count: int, seed: int) -> list[Mutant]:
    """Damaged files; the same for the same seed."""
    rng = random.Random(seed)
    sound = wholes()
    made = []
    for number in range(count):
        name, damage = _DAMAGES[number % len(_DAMAGES)]
        kind, content = rng.choice(sound)
        made.append(Mutant(kind, name, damage(rng, kind, content)))
    return made


def _flips(rng: random.Random, _: str, content: bytes) -> bytes:
    changed = bytearray(content)
    for _unused in range(rng.randint(1, 12)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _header(rng: random.Random, _: str, content: bytes) -> bytes:
    changed = bytearray(content)
    for _unused in range(rng.randint(1, 6)):
        changed[rng.randrange(min(64, len(changed)))] = rng.randrange(256)
    return bytes(changed)


def _cut(rng: random.Random, _: str, content: bytes) -> bytes:
    return content[: rng.randrange(len(content))]


def _swapped(rng: random.Random, kind: str, content: bytes) -> bytes:
    other = rng.choice([name for name in FORMATS if name != kind])
    return _HEADS[other] + content[len(_HEADS[other]) :]


def _hole(rng: random.Random, _: str, content: bytes) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randint(1, 400) :]


def _blank(rng: random.Random, _: str, content: bytes) -> bytes:
    start, length = rng.randrange(len(content)), rng.randint(1, 200)
    filler = rng.choice([b"\x00", b"\xff"])
    return content[:start] + filler * len(content[start : start + length]) + content[start + length :]


def _inserted(rng: random.Random, _: str, content: bytes) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + rng.randbytes(rng.randint(1, 40)) + content[start:]


def _large(rng: random.Random, kind: str, content: bytes) -> bytes:
    changed = bytearray(content)
    place = rng.randrange(min(80, len(changed) - 4))
    changed[place : place + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"])
    return bytes(changed)


_DAMAGES: list[tuple[str, Callable[[random.Random, str, bytes], bytes]]] = [
    ("flips", _flips), ("header", _header), ("cut", _cut), ("swapped", _swapped),
    ("hole", _hole), ("blank", _blank), ("inserted", _inserted), ("large", _large),
]  # fmt: skip
