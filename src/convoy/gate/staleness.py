"""Whether the artifacts are those of the parameters and the code that lie here now, by dvc.lock's records.

`dvc status` answers the same and takes seconds; registration only needs to know about parameters and code.
"""

from pathlib import Path
from typing import Any

from convoy import digests, provenance


def reasons(root: Path) -> list[str]:
    """What changed since the stages ran ("stage: file", "stage: params.yaml: key"); empty if nothing did.

    Without a dvc.lock nothing is known and nothing is reported.
    """
    found = []
    cache: dict[str, Any] = {}
    for stage, record in provenance.read_yaml(root / provenance.DVC_LOCK).get("stages", {}).items():
        for entry in record.get("deps", []):
            path = root / entry["path"]
            if "md5" in entry and path.is_file() and digests.file_md5(path) != entry["md5"]:
                found.append(f"{stage}: {entry['path']}")
        for file, params in record.get("params", {}).items():
            if file not in cache:
                cache[file] = provenance.read_yaml(root / file)
            found += [
                f"{stage}: {file}: {key}" for key, value in params.items() if _at(cache[file], key) != value
            ]
    return found


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
