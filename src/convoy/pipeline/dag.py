"""The graph of dvc.yaml. Nothing else in convoy knows it."""

from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

Graph = dict[str, set[str]]  # stage names of dvc.yaml, upstream first -> the stages that each needs directly


def graph(root: Path) -> Graph:
    """The stages of dvc.yaml, upstream first."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return named(nodes(repo))


def nodes(repo: Any) -> dict[Any, set[Any]]:
    """DVC's own stage objects, `.dvc` files among them, upstream first -> those that each needs directly.

    `Repo.index.graph` is DVC's own but internal; this function is the one place that touches it.
    """
    whole = repo.index.graph  # an edge goes from a stage to what it needs
    needs = {stage: set(whole.successors(stage)) for stage in whole}
    return {stage: needs[stage] for stage in TopologicalSorter(needs).static_order()}


def named(needs: dict[Any, set[Any]]) -> Graph:
    """Those of `nodes` that dvc.yaml names."""
    names = {stage: stage.name for stage in needs if getattr(stage, "name", None)}
    return {name: {names[each] for each in needs[stage] if each in names} for stage, name in names.items()}


def keep(root: Path, data: Path) -> None:
    """Put the data that a `.dvc` file pins into DVC's cache, so that `dvc status` is clean and `push` works.

    Where another DVC command holds the project, the next run does it.

    Args:
        data: below `root`, with the bytes that `data`.dvc pins; without such a file nothing is done.
    """
    pin = data.with_name(f"{data.name}.dvc")
    if not pin.is_file():
        return
    from dvc.lock import LockError
    from dvc.repo import Repo

    with suppress(LockError), Repo(str(root)) as repo, repo.lock:
        (stage,) = repo.stage.load_all(str(pin))
        if any(out.changed_cache() for out in stage.outs):
            stage.save()
            stage.commit()
