from pathlib import Path

import pytest

from convoy.config.load import load
from convoy.errors import ConfigError
from convoy.layout import PARAMS
from convoy.pipeline import templates


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """params.yaml and dvc.yaml of this repository."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    return tmp_path


def test_parameters_that_name_all_that_the_graph_fills_in_pass(project: Path) -> None:
    templates.check(project, load(project / PARAMS))
    (project / "dvc.yaml").unlink()
    templates.check(project, load(project / PARAMS))


def test_an_older_project_is_told_the_line_that_it_lacks(project: Path) -> None:
    text = (project / PARAMS).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if "modality:" not in line]
    (project / PARAMS).write_text("".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml lacks data\.modality") as error:
        templates.check(project, load(project / PARAMS))
    assert error.value.where == "params.yaml: section data"
    assert error.value.fix == "add this line to the section: modality: image"
    assert error.value.exit_code == 2
