from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from convoy.notify import sending
from tests.notify.robots import Robot, robot

SECRET = "k3yT0kenNobodyMaySee42"


@pytest.fixture
def listener() -> Iterator[Robot]:
    with robot() as found:
        yield found


@pytest.fixture
def project(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a project with a section `notify`, and sets the addresses."""

    def make(*addresses: str, **section: object) -> Path:
        root = tmp_path / "项目"
        root.mkdir(exist_ok=True)
        yaml = YAML()
        params = yaml.load((repository / "params.yaml").read_text(encoding="utf-8"))
        if section:
            params["notify"] = section
        with (root / "params.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(params, file)
        (root / "dvc.yaml").touch()
        if addresses:
            monkeypatch.setenv(sending.ADDRESSES, " ".join(addresses))
        else:
            monkeypatch.delenv(sending.ADDRESSES, raising=False)
        return root

    return make
