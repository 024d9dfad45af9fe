"""The graph of dvc.yaml. Nothing else in convoy knows it."""

from contextlib import suppress
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
