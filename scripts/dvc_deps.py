"""Rewrites the code dependencies of dvc.yaml: each stage depends on the modules that it imports.

`make deps` calls this; tests/test_dvc_yaml.py compares. Plugins are loaded by name, which no import shows:
the plugin that the parameters name is a templated dependency, and what any plugin of the kind imports is
added.
"""

import sys
from io import StringIO
from pathlib import Path

import grimp
from ruamel.yaml import YAML

from convoy.plugins import OF_OBJECTIVES, PLACES, names

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = {
    "ingest": ["source"],
    "validate": ["source", "checking", "data_view"],
    "prepare": ["source", "preparing", "targets"],
    "augment": ["augmenting"],
    "train": ["model", "objective", "entry", "batching", "augmenting"],
    "evaluate": ["model", "entry", "augmenting", "view", "evaluation"],
    "package": ["model", "entry", "input", "packing", "looking", "describing", "output"],
}
# Files that a stage copies into its output without importing them.
COPIED = {"package": ["convoy.serving.pyfunc"]}
# Folders of files that a module reads and no import shows.
READ = {
    "convoy.data.fonts": "src/convoy/data/typefaces",
    "convoy.evaluation.page": "src/convoy/evaluation/templates",
}
# What names the plugin of a kind; that of all others is the modality.
NAMED_BY = {
    "source": "data.source",
    "model": "model.name",
    **dict.fromkeys(OF_OBJECTIVES, "objective.name"),
}


def code_deps() -> dict[str, list[str]]:
    """Stage -> paths of the code that it depends on, sorted, templates last."""
    graph = grimp.build_graph("convoy", exclude_type_checking_imports=True, cache_dir=None)
    stages = sorted(graph.find_children("convoy.stages"))
    return {module.rpartition(".")[2]: _of_stage(graph, module) for module in stages}


def _of_stage(graph: grimp.ImportGraph, module: str) -> list[str]:
    stage = module.rpartition(".")[2]
    wanted = {module, *COPIED.get(stage, [])} | graph.find_upstream_modules(module)
    templates = []
    for kind in PLUGINS.get(stage, []):
        package, part = PLACES[kind]
        inner = f"/{part}" if part else ""
        templates.append(
            f"src/{package.replace('.', '/')}/${{{NAMED_BY.get(kind, 'data.modality')}}}{inner}.py"
        )
        for plugin in names(kind):
            wanted |= graph.find_upstream_modules(f"{package}.{plugin}.{part}".rstrip("."))
    read = [file for name in wanted & READ.keys() for file in (ROOT / READ[name]).iterdir()]
    files = [file.relative_to(ROOT).as_posix() for file in read]
    return [*sorted([*files, *(path for name in wanted if (path := _path(name)))]), *templates]


def _path(module: str) -> str | None:
    base = Path("src", *module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if (ROOT / path).is_file():
            return path.as_posix() if (ROOT / path).read_text().strip() else None
    raise FileNotFoundError(module)


def is_code(dependency: str) -> bool:
    return dependency.startswith("src/")


def main() -> None:
    yaml = YAML()
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / "dvc.yaml"
    document = yaml.load(path.read_text(encoding="utf-8"))
    for stage, code in code_deps().items():
        entry = document["stages"][stage]
        entry["deps"] = [*(dep for dep in entry["deps"] if not is_code(dep)), *code]
    text = StringIO()
    yaml.dump(document, text)
    path.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
