"""`convoy verify`: everything that has a recorded digest is hashed again, by content."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.errors import IntegrityError
from convoy.proof import audit, objects, verify_local, verify_versions
from convoy.proof.audit import Expectation, Problem, Progress

AREAS = {
    "data": "raw data against .dvc files and dvc.lock",
    "cache": "DVC's objects against their names",
    "artifacts": "the stages' outputs against dvc.lock",
    "bundle": "artifacts/bundle against its SHA256SUMS",
    "registry": "every version's files against its tags and SHA256SUMS",
    "ledger": "the chain of entries, and the aliases",
}


@dataclass(frozen=True)
class Report:
    """What was checked and what was found.

    Attributes:
        checked: area -> {"files", "bytes"}, of the ledger {"entries"}; empty areas are left out.
        problems: in the order of AREAS.
    """

    checked: Mapping[str, Mapping[str, int]]
    problems: list[Problem]

    def as_dict(self) -> dict[str, Any]:
        return {
            "checked": {area: dict(row) for area, row in self.checked.items()},
            "problems": [problem.as_dict() for problem in self.problems],
        }

    def failure(self) -> IntegrityError | None:
        """The error that tells of problems (exit 4); None where there are none."""
        if not self.problems:
            return None
        count = len(self.problems)
        first = self.problems[0]
        return IntegrityError(
            f"{count} problem{'s' if count > 1 else ''}: {first.what}", where=first.where, fix=first.fix
        )


def verify(
    root: Path, client: Any | None, uri: str = "", progress: Progress = lambda _done, _all: None
) -> Report:
    """Hash data, cache, outputs, bundle and registered files; no modification time is trusted.

    Args:
        client: of MLflow; None where there is no registry to look at.
        uri: of that registry.
    """
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        planned: list[Expectation | Problem] = [*verify_local.plan(root, objects.cache_folder(root))]
        if client is not None:
            planned += verify_versions.plan(client, Path(scratch))
        expectations = [item for item in planned if not isinstance(item, Problem)]
        problems = [item for item in planned if isinstance(item, Problem)]
        found = audit.hash_all((key for item in expectations for key in item.needs()), progress)
        for item in expectations:
            problems += item.judge(found)
        checked = audit.counted(expectations, found)
    if client is not None:
        entries, broken = verify_versions.ledgers(client)
        checked["ledger"] = {"entries": entries}
        problems += broken + verify_versions.database(uri)
    order = list(AREAS)
    unique = {(problem.area, problem.where, problem.what): problem for problem in problems}
    return Report(
        {area: checked[area] for area in order if area in checked},
        sorted(unique.values(), key=lambda problem: (order.index(problem.area), problem.where)),
    )
