import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convoy.errors import IntegrityError
from convoy.io import sha256_file, write_json
from convoy.proof import pins, surroundings

OWN = "convoy/proof/pins.py"


def pinned(project: Path, **stages: dict[str, str]) -> Path:
    for stage, files in stages.items():
        write_json(project / pins.file(stage), {"stage": stage, "files": files})
    return project


def test_the_installed_file_has_the_digest_of_its_bytes() -> None:
    assert pins.installed(OWN) == sha256_file(Path(pins.__file__))
    assert pins.installed("convoy/nowhere.py") == ""
    assert pins.installed("convoy/../../pyproject.toml") == ""


def test_stages_whose_code_is_another_are_named_with_the_files(tmp_path: Path) -> None:
    right = {OWN: pins.installed(OWN)}
    project = pinned(
        tmp_path, split=right, train={**right, "convoy/io.py": "0" * 64, "convoy/old.py": "1" * 64}
    )
    assert pins.differences(project) == {"train": ["convoy/io.py", "convoy/old.py"]}
    assert pins.differences(pinned(tmp_path, train=right)) == {}


def test_a_project_with_code_of_its_own_has_no_pins(tmp_path: Path) -> None:
    assert pins.read(tmp_path) == {}
    assert pins.differences(tmp_path) == {}


def test_a_damaged_pin_is_refused(tmp_path: Path) -> None:
    for content in ("{", "[]", json.dumps({"files": ["a"]})):
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / "split.json").write_text(content)
        with pytest.raises(IntegrityError, match="does not pin"):
            pins.read(tmp_path)


def test_a_rebuild_with_another_convoy_is_refused_before_any_stage(tmp_path: Path) -> None:
    origin: Any = SimpleNamespace(name="digits", version="3", commit="a" * 40)
    assert surroundings._code(origin, tmp_path) == ""
    told = surroundings._code(origin, pinned(tmp_path, split={OWN: pins.installed(OWN)}))
    assert told.startswith("the installed convoy runs the stages")
    with pytest.raises(
        IntegrityError, match=r"environment differs.*digits version 3.*split: convoy/proof/pins"
    ) as error:
        surroundings._code(origin, pinned(tmp_path, split={OWN: "0" * 64}))
    assert error.value.exit_code == 4
