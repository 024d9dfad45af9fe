"""Whether what a bundle was made from can be proven: the commit, the raw data, the age of the artifacts."""

from pathlib import Path
from typing import Any

from convoy import digests, provenance
from convoy.gate import staleness
from convoy.gate.rules import Doubt

_SHOWN = 5


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
            f"dirty tree: not committed: {_listed(git['changed'])}",
            "commit, ignore or remove them, then run `convoy register`",
        )
    return Doubt()


def _listed(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def of_data(root: Path, path: str) -> Doubt:
    """Why raw data or artifacts are not those that were recorded; the raw data are hashed by content.

    Args:
        path: of the raw data, relative to the root.
    """
    known = {
        "its .dvc file": provenance.pinned_digest(root, path),
        "dvc.lock": provenance.locked_digest(root, path),
    }
    recorded = {where: digest for where, digest in known.items() if digest}
    if not recorded:
        return Doubt(
            f"unverified data: DVC knows no digest of {path}",
            f"`dvc add {path}` and commit its .dvc file, then run `convoy run`",
        )
    raw = root / path
    actual = digests.md5_of(raw, root)[0] if raw.exists() else None
    for where, digest in recorded.items():
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
