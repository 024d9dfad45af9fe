from pathlib import Path
from typing import Any

import pytest

import convoy
from convoy.errors import IntegrityError, ResourceError
from convoy.pipeline import code
from convoy.proof import pins
from convoy.provenance import read_yaml

PARAMS: dict[str, Any] = {
    "data": {"source": "image_folder", "modality": "image"},
    "model": {"name": "cnn"},
    "objective": {"name": "classification"},
}


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """A project without code, its pins written."""
    (tmp_path / "dvc.yaml").write_text(code.graph_text(), encoding="utf-8")
    params = (repository / "recipes" / "image_folder.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    code.refresh(tmp_path)
    return tmp_path


def test_the_graph_differs_from_this_repositorys_in_the_code_alone(repository: Path, project: Path) -> None:
    own, theirs = read_yaml(repository / "dvc.yaml")["stages"], read_yaml(project / "dvc.yaml")["stages"]
    for stage, entry in own.items():
        others = [dep for dep in entry["deps"] if not dep.startswith("src/")]
        assert theirs[stage] == {**entry, "deps": [*others, f"code/{stage}.json"]}
    assert list(own) == list(theirs)


def test_pins_hold_the_closure_with_the_plugins_that_the_parameters_name() -> None:
    files = code.closure("train", PARAMS)
    assert {"convoy/models/cnn.py", "convoy/training/objectives/classification.py"} <= files.keys()
    assert "convoy/models/lenet5.py" not in files
    assert all(len(digest) == 64 for digest in files.values())
    assert list(files) == sorted(files)


def test_a_refresh_writes_only_what_changed(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project / "code").iterdir()}
    said: list[str] = []
    assert code.refresh(project, said.append) == []
    assert {path: path.stat().st_mtime_ns for path in (project / "code").iterdir()} == before
    params = project / "params.yaml"
    params.write_text(
        params.read_text(encoding="utf-8").replace("name: cnn", "name: lenet5"), encoding="utf-8"
    )
    assert code.refresh(project, said.append) == ["train", "evaluate", "package"]
    assert "train, evaluate, package" in said[0]


def test_a_stage_with_other_code_than_pinned_does_not_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code.check(project, "split")
    installed = pins.installed
    monkeypatch.setattr(
        pins, "installed", lambda name: "0" * 64 if name.endswith("split.py") else installed(name)
    )
    with pytest.raises(
        IntegrityError, match=r"not what code/split\.json pins: convoy/data/split\.py"
    ) as error:
        code.check(project, "split")
    assert "convoy run" in error.value.fix
    code.refresh(project)
    code.check(project, "split")


def test_a_stage_whose_pins_are_gone_does_not_run(project: Path) -> None:
    (project / "code" / "split.json").unlink()
    with pytest.raises(IntegrityError):
        code.check(project, "split")


def test_a_checkout_with_code_of_its_own_is_left_alone(repository: Path, tmp_path: Path) -> None:
    assert not code.is_pinned(repository)
    assert code.refresh(repository) == []
    code.check(repository, "split")
    assert not code.is_pinned(tmp_path)


def test_package_data_go_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "convoy"
    (package / "originals").mkdir(parents=True)
    (package / "originals" / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.setattr(convoy, "__file__", str(package / "__init__.py"))
    assert code.shipped("dvc.yaml") == package / "originals" / "dvc.yaml"
    with pytest.raises(ResourceError, match="lacks prefect"):
        code.shipped("prefect.yaml")
