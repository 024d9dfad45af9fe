"""dvc.yaml against the code: complete dependencies, the parameters that are read, one graph."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from convoy.cli.stage import STAGES
from convoy.config.load import load
from convoy.pipeline import dag


@pytest.fixture(scope="module")
def document(repository: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load((repository / "dvc.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dvc_deps", repository / "scripts" / "dvc_deps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_stage_depends_on_exactly_the_code_that_it_imports(
    document: dict[str, Any], script: ModuleType
) -> None:
    expected = script.code_deps()
    declared = {
        name: [dep for dep in stage["deps"] if script.is_code(dep)]
        for name, stage in document["stages"].items()
    }
    assert declared == expected, "run `make deps`"


class Watched:
    """The configuration, noting which parts are read."""

    def __init__(self, config: Any, names: dict[str, str], prefix: str, read: set[str]) -> None:
        self._config, self._names, self._prefix, self._read = config, names, prefix, read

    def __getattr__(self, name: str) -> Any:
        section = self._names.get(name, name)
        if section in ("validate", "objective"):  # of which a stage may read a part
            return Watched(getattr(self._config, name), {}, f"{section}.", self._read)
        self._read.add(self._prefix + section)
        return getattr(self._config, name)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_declares_the_parameters_that_it_reads(
    stage: str, document: dict[str, Any], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"convoy.stages.{stage}")
    read: set[str] = set()
    passed: list[Any] = []
    monkeypatch.setattr(module, stage, lambda *args, **kwargs: passed.extend([*args, *kwargs.values()]))
    config = load(repository / "params.yaml")
    module.main(Watched(config, {"validation": "validate", "registration": "register"}, "", read))
    read |= {value._prefix.rstrip(".") for value in passed if isinstance(value, Watched)}
    declared = set(document["stages"][stage].get("params", []))
    assert declared == read


def test_the_graph_is_the_chain_of_the_design(repository: Path) -> None:
    graph = dag.graph(repository)
    assert list(graph) == list(STAGES)
    assert graph["evaluate"] == {"train", "prepare", "split"}
    assert graph["ingest"] == set()


def test_dvc_lock_was_made_with_this_code_and_these_parameters(
    document: dict[str, Any], repository: Path
) -> None:
    """What lies in dvc.lock is what this checkout would run; on failure: `make run`, commit dvc.lock."""
    lock = YAML(typ="safe").load((repository / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert set(lock) == set(document["stages"])
    stale = [
        f"{stage}: {dep['path']}"
        for stage, entry in lock.items()
        for dep in entry["deps"]
        if not dep["path"].startswith(("artifacts/", "data/"))
        and hashlib.md5((repository / dep["path"]).read_bytes(), usedforsecurity=False).hexdigest()
        != dep["md5"]
    ]
    assert stale == []
    params = YAML(typ="safe").load((repository / "params.yaml").read_text(encoding="utf-8"))
    for stage, entry in lock.items():
        for key, value in entry.get("params", {}).get("params.yaml", {}).items():
            section: Any = params
            for part in key.split("."):
                section = section[part]
            assert section == value, f"{stage}: {key}"
