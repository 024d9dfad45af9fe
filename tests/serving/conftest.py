from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry import fixtures
from tests.serving import servers
from tests.serving.servers import Server

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy


@pytest.fixture
def folder(workshop: Path) -> Path:
    """The bundle of the good model."""
    return workshop / "good" / "bundle"


@pytest.fixture
def pictures(workshop: Path) -> list[Path]:
    """The test split's files."""
    return sorted((workshop / "data" / "raw" / "toy").rglob("test *.png"))


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with servers.running(folder) as found:
        yield found
