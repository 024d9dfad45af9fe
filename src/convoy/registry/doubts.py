"""Whether what a bundle was made from can be proven: the commit, the raw data, the age of the artifacts."""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from convoy import provenance
from convoy.registry import staleness
from convoy.registry.rules import Doubt

_CHUNK = 1 << 20


def of_tree(made: dict[str, Any]) -> Doubt:
    """Why the bundle could not be rebuilt from the commit.

    Args:
        made: of `provenance.collect`.
    """
    git = made["git"]
    if git["problem"]:
        return Doubt(
            f"dirty tree: {git['problem']}, so nobody could rebuild this model",
            "put the project under git, commit it, then run `convoy register`",
        )
    if git["dirty"]:
        return Doubt(
            "dirty tree: there are changes that are not committed",
            "commit your changes, then run `convoy register`",
        )
    return Doubt()


def of_data(root: Path, path: str) -> Doubt:
    """Why raw data or artifacts are not those that were recorded; the raw data are hashed by content.

    Args:
        path: of the raw data, relative to the root.
    """
    known = {"its .dvc file": _tracked(root, path), "dvc.lock": _ran_with(root, path)}
    digests = {where: digest for where, digest in known.items() if digest}
    if not digests:
        return Doubt(
            f"unverified data: DVC knows no digest of {path}",
            f"`dvc add {path}` and commit its .dvc file, then run `convoy run`",
        )
    actual = md5(root / path, ignore_in=root)
    for where, digest in digests.items():
        if digest != actual:
            return Doubt(
                f"unverified data: {path} is {actual or 'missing'}, {where} says {digest}",
                "`convoy run` makes the artifacts anew from the data that lie here"
                if where == "dvc.lock"
                else f"`dvc checkout {path}.dvc` restores them, `dvc add {path}` records them as they are",
            )
    stale = staleness.reasons(root)
    if stale:
        shown = ", ".join(stale[:3]) + (f" and {len(stale) - 3} more" if len(stale) > 3 else "")
        return Doubt(f"the artifacts are older than what lies here: {shown}", "run `convoy run`")
    return Doubt()


def md5(path: Path, *, ignore_in: Path | None = None) -> str | None:
    """DVC's digest, from the bytes: of a file or, with `.dir` at its end, of a folder; None if there is none.

    Args:
        ignore_in: the folder whose .dvcignore counts.
    """
    if path.is_file():
        return _file_md5(path)
    if not path.is_dir():
        return None
    files = sorted(_files(path, ignore_in))
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_file_md5, (path / name for name in files)))
    listed = [{"md5": digest, "relpath": name} for name, digest in zip(files, digests, strict=True)]
    text = json.dumps(listed, sort_keys=True)
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}.dir"


def _tracked(root: Path, path: str) -> str | None:
    for out in provenance.read_yaml(root / f"{path}.dvc").get("outs", []):
        if out.get("path") == PurePosixPath(path).name and out.get("md5"):
            return str(out["md5"])
    return None


def _ran_with(root: Path, path: str) -> str | None:
    """What the first stage that read the raw data found."""
    for stage in provenance.read_yaml(root / provenance.DVC_LOCK).get("stages", {}).values():
        for entry in stage.get("deps", []):
            if PurePosixPath(entry.get("path", "")) == PurePosixPath(path) and entry.get("md5"):
                return str(entry["md5"])
    return None


def _files(folder: Path, ignore_in: Path | None) -> Iterator[str]:
    """Names below the folder, posix, without what .dvcignore names."""
    for top, _, names in _walk(folder, ignore_in):
        for name in names:
            yield (Path(top) / name).relative_to(folder).as_posix()


def _walk(folder: Path, ignore_in: Path | None) -> Iterator[tuple[str, list[str], list[str]]]:
    if ignore_in is None or not (ignore_in / ".dvcignore").is_file():
        yield from os.walk(folder, followlinks=True)
        return
    from dvc.fs import LocalFileSystem
    from dvc.ignore import DvcIgnoreFilter

    files = LocalFileSystem()
    yield from DvcIgnoreFilter(files, str(ignore_in)).walk(files, str(folder))


def _file_md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
