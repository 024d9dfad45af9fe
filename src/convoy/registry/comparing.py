"""Runs and versions side by side: only what differs, and the metrics with paired intervals."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from convoy.registry import changes
from convoy.registry.collecting import Side
from convoy.registry.listing import MAIN_METRICS, differing

_PROVENANCE = (
    "commit", "dirty", "data_digest", "dvc_lock", "environment_lock",
    "cpu", "cores", "gpus", "python", "torch",
)  # fmt: skip


def compare(found: Sequence[Side], root: Path | None = None) -> dict[str, Any]:
    """{"runs", "params", "metrics", "provenance", "against"}: a name and one value a side each.

    Parameters and provenance are those that differ. Metrics carry the values and, against the first side, the
    differences (None where one lacks it). `against` holds one object for each side but the first: {"name",
    "samples", "answers", "changed_sides": {"count", "first"}, "code"}, see `changes`.

    Args:
        root: of the project, whose git knows the commits.
    """
    first = found[0]
    return {
        "runs": [
            {"name": side.name, "id": side.run.info.run_id, "status": side.run.info.status} for side in found
        ],
        "params": differing([dict(side.params) for side in found]),
        "metrics": {name: _metric(name, found) for name in _metric_names(found)},
        "provenance": differing([{n: side.origin.get(n) for n in _PROVENANCE} for side in found]),
        "against": [_against(first, other, root) for other in found[1:]],
    }


def _against(first: Side, other: Side, root: Path | None) -> dict[str, Any]:
    changed = changes.sides(first, other)
    return {
        "name": other.name,
        "samples": changes.of_samples(first, other),
        "answers": changes.of_answers(first, other),
        "changed_sides": {"count": len(changed), "first": changed[: changes.SHOWN]},
        "code": changes.of_code(root, first, other),
    }


def _metric(name: str, found: Iterable[Side]) -> dict[str, list[float | None]]:
    values = [side.metrics.get(name) for side in found]
    base = values[0]
    difference = [None if v is None or base is None else v - base for v in values]
    return {"values": values, "difference": difference}


def _metric_names(found: Iterable[Side]) -> list[str]:
    """Final figures, the test split's first; no curves, no ends of intervals."""
    names = {name for side in found for name in side.metrics}
    final = [
        n
        for n in names
        if n.startswith(("test_", "best_val_")) and not n.endswith(("_low", "_high", "_samples"))
    ]
    return sorted(final, key=lambda n: (n not in MAIN_METRICS, n.startswith("best_"), n))
