"""The graph of dvc.yaml. Nothing else in convoy knows it."""

from graphlib import TopologicalSorter
from pathlib import Path


def graph(root: Path) -> dict[str, set[str]]:
    """Stage names of dvc.yaml, upstream first -> the stages that each one needs directly.

    `Repo.index.graph` is DVC's own but internal; this function is the one place that touches it.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        whole = repo.index.graph  # an edge goes from a stage to what it needs
        named = {stage: stage.name for stage in whole if getattr(stage, "name", None)}
        needs = {
            name: {named[other] for other in whole.successors(stage) if other in named}
            for stage, name in named.items()
        }
    return {name: needs[name] for name in TopologicalSorter(needs).static_order()}
