"""A server tells of every answer that it gave, and of no other."""

import base64
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy.serving.source import Reference
from tests.serving import servers
from tests.serving.servers import Server, until


@dataclass
class Notes:
    """A keeper that only notes what it hears."""

    answers: list[tuple[str, bytes, str, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, modality: str, content: Any, image: np.ndarray, /) -> Any:
        assert (modality, image.dtype) == ("image", np.uint8)
        return content

    def put(
        self, model: Reference, looks: Sequence[Any], classes: Sequence[str], rows: np.ndarray, /
    ) -> None:
        with self.lock:
            for content, row in zip(looks, rows, strict=True):
                said = (model.version, content, classes[int(row.argmax())], float(row.max()))
                self.answers.append(said)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def server(folder: Path, notes: Notes) -> Iterator[Server]:
    with servers.running(folder, keeper=notes) as found:
        yield found


def test_answers_of_both_routes_are_told_with_the_model_that_gave_them(
    server: Server, notes: Notes, pictures: list[Path]
) -> None:
    contents = [path.read_bytes() for path in pictures[:3]]
    given = server.upload(*contents).json["predictions"]
    server.invoke({"inputs": [base64.b64encode(contents[0]).decode()]})
    until(lambda: len(notes.answers) == 4)
    assert [content for _, content, _, _ in notes.answers] == [*contents, contents[0]]
    assert [(label, chance) for _, _, label, chance in notes.answers[:3]] == [
        (row["label"], row["probability"]) for row in given
    ]
    server.shelf.put("2", server.shelf.folders["1"])
    assert server.live.look()
    server.upload(contents[1])
    until(lambda: len(notes.answers) == 5)
    assert [version for version, *_ in notes.answers] == ["1", "1", "1", "1", "2"]


def test_what_was_refused_is_not_told(server: Server, notes: Notes, pictures: list[Path]) -> None:
    assert server.upload(pictures[0].read_bytes(), b"no picture").status == 415
    assert server.upload(pictures[0].read_bytes()).status == 200
    until(lambda: len(notes.answers) == 1)
