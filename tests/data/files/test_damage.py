"""Mutated archives: read as they were, or refused by a DataError; nothing else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from convoy.data.files import open_place
from convoy.errors import DataError
from tests.data.files.archives import CONTENT, write_tar, write_zip


def mutated(sound: bytes, draw: random.Random) -> bytes:
    content = bytearray(sound)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(content))
        change = draw.randrange(4)
        if change == 0:
            content[at] ^= 1 << draw.randrange(8)
        elif change == 1:
            content[at : at + draw.randint(1, 8)] = draw.randbytes(draw.randint(1, 8))
        elif change == 2:
            del content[at : at + draw.randint(1, 600)]
        else:
            content[at:at] = content[: draw.randint(1, 600)]
        if not content:
            content += b"P"
    return bytes(content)


@pytest.mark.parametrize(
    ("write", "name", "mode", "checked"),
    [
        (write_zip, "a.zip", None, True),
        (write_tar, "a.tar", "w", False),
        (write_tar, "a.tar.gz", "w:gz", True),
        (write_tar, "a.tar.xz", "w:xz", True),
    ],
)
def test_mutated_archives_are_refused_or_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., Path],
    name: str,
    mode: str | None,
    checked: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = write(tmp_path / name, **({} if mode is None else {"mode": mode}))
    sound, draw, refused = archive.read_bytes(), random.Random(name), 0
    for number in range(ROUNDS):
        place = tmp_path / f"{number}{name}"
        place.write_bytes(mutated(sound, draw))
        try:
            found = open_place(place, "mend it")
            for locator in found.names():
                body = found.read(locator)
                assert not checked or CONTENT.get(locator, body) == body
        except DataError:
            refused += 1
    assert refused > ROUNDS // 4


ROUNDS = 150
