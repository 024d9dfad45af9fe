"""What DVC would skip, asked once for all stages instead of once a stage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.pipeline import dag, dvc_command


@dataclass(frozen=True)
class Standing:
    """How a pipeline stands.

    Attributes:
        graph: the stages of dvc.yaml, upstream first, and what each needs.
        fresh: stages that are up to date, as is everything that they come from, `.dvc` files too. Nothing
            upstream of them is going to run, so they need not be asked again.
    """

    graph: dag.Graph
    fresh: frozenset[str]

    @property
    def done(self) -> bool:
        """Nothing is left to run."""
        return self.fresh == self.graph.keys()


def standing(root: Path) -> Standing | None:
    """Ask DVC in this process; None where it cannot tell, as while another DVC command holds the project.

    A stage counts as fresh where `dvc status` has nothing to say of it or of what feeds it: command,
    parameters, dependencies, outputs, their copies in the cache, dvc.lock. `.dvc` files that feed
    no stage are left out.
    """
    try:
        return _ask(root)
    except Exception:  # noqa: BLE001  # each stage is then asked by a `dvc` of its own, which tells what is wrong
        return None


def _ask(root: Path) -> Standing:
    from dvc.progress import Tqdm
    from dvc.repo import Repo

    Tqdm.monitor_interval = 0  # no thread for its bars: the caller starts processes with a `preexec_fn`
    with dvc_command.hashed_once(), Repo(str(root)) as repo, repo.lock:
        needs = dag.nodes(repo)
        feeding = set().union(*(needs[stage] for stage in needs if stage.cmd))
        fresh: set[Any] = set()
        for stage, upstream in needs.items():
            if (stage.cmd or stage in feeding) and upstream <= fresh and not stage.status():
                fresh.add(stage)
        graph = dag.named(needs)
        return Standing(graph, frozenset(name for stage in fresh if (name := getattr(stage, "name", None))))
