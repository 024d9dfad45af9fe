"""What an initialised project takes from the installed convoy: its dvc.yaml, and the pins of its code.

This repository's dvc.yaml names, stage by stage, the files of src/convoy that a stage imports. A project that
`convoy init` made has no such files: there each stage depends on `code/<stage>.json` (see
`convoy.proof.pins`), written from the same lists. So an upgrade of convoy runs
again the stages whose code changed, and no others.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import convoy
from convoy import provenance
from convoy.errors import IntegrityError, ResourceError
from convoy.io import dump_json, write_text
from convoy.layout import PARAMS
from convoy.proof import pins

GRAPH = Path("dvc.yaml")

_CODE = "src/"  # how this repository's dvc.yaml names the files of convoy
_HEADER = """\
The one definition of the graph: DVC runs it, the Prefect flow derives its tasks from it.
`code/<stage>.json` pins the files of the installed convoy that a stage imports; `convoy run` keeps them.
"""


def shipped(name: str) -> Path:
    """A file that every project starts from: package data of an installed convoy, else the checkout's own.

    Raises:
        ResourceError: this installation has none.
    """
    package = Path(convoy.__file__).parent
    for place in (package / "originals", package.parents[1]):
        if (place / name).is_file():
            return place / name
    raise ResourceError(
        f"this installation of convoy lacks {name}", where=str(package), fix="install it again"
    )


def graph_text() -> str:
    """dvc.yaml for a project without code: each stage depends on its pins instead."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(shipped(GRAPH.name).read_text(encoding="utf-8"))
    for stage, entry in document["stages"].items():
        others = [dep for dep in entry["deps"] if not str(dep).startswith(_CODE)]
        entry["deps"] = [*others, pins.file(stage).as_posix()]
    document.ca.comment = None
    document.yaml_set_start_comment(_HEADER.rstrip("\n"))
    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def stages() -> list[str]:
    return list(_stages())


def closure(stage: str, params: Mapping[str, Any]) -> dict[str, str]:
    """The files of the installed convoy that a stage depends on ("convoy/io.py") -> sha256, in name order.

    Args:
        params: of params.yaml, for the plugins that they name.
    """
    names = {_filled(str(dep), params) for dep in _stages()[stage]["deps"] if str(dep).startswith(_CODE)}
    return {name: pins.installed(name) for name in sorted(name.removeprefix(_CODE) for name in names)}


def is_pinned(root: Path) -> bool:
    """Whether the project's graph depends on pins instead of code of its own."""
    try:
        text = (root / GRAPH).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return f"- {pins.FOLDER.as_posix()}/" in text


def refresh(root: Path, say: Callable[[str], None] = lambda _text: None) -> list[str]:
    """Pin the installed convoy; files that say so already are not touched.

    Args:
        say: is told where pins changed.

    Returns:
        The stages whose pins changed; empty for a project with code of its own.
    """
    if not is_pinned(root):
        return []
    params = provenance.read_yaml(root / PARAMS)
    changed = []
    for stage in stages():
        path = root / pins.file(stage)
        text = _text(stage, params)
        if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
            write_text(path, text)
            changed.append(stage)
    if changed:
        say(f"{pins.FOLDER.as_posix()}/ pins other code now for {', '.join(changed)}; commit it")
    return changed


def check(root: Path, stage: str) -> None:
    """Refuse to run a stage with other code than its pins say: DVC would keep the result under a wrong key.

    Raises:
        IntegrityError: the installed convoy is another one.
    """
    path = root / pins.file(stage)
    if not is_pinned(root) or stage not in _stages():
        return
    pinned = pins.read(root).get(stage, {})
    actual = closure(stage, provenance.read_yaml(root / PARAMS))
    other = sorted(name for name in pinned.keys() | actual.keys() if pinned.get(name) != actual.get(name))
    if other:
        raise IntegrityError(
            f"the installed convoy is not what {pins.file(stage).as_posix()} pins: {pins.told(other)}",
            where=str(path),
            fix="`convoy run`, or `convoy init --refresh` and then the same command",
        )


def _text(stage: str, params: Mapping[str, Any]) -> str:
    return dump_json({"stage": stage, "files": closure(stage, params)})


@cache
def _stages() -> dict[str, Any]:
    return dict(provenance.read_yaml(shipped(GRAPH.name))["stages"])


def _filled(dep: str, params: Mapping[str, Any]) -> str:
    """A dependency with DVC's templates (`${model.name}`) replaced."""

    def value(found: re.Match[str]) -> str:
        node: Any = params
        for part in found[1].split("."):
            node = node.get(part, "") if isinstance(node, Mapping) else ""
        return str(node)

    return re.sub(r"\$\{([^}]+)\}", value, dep)
