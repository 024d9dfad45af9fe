"""Where a scheduled run works: a worktree that shares the cache and the state of the person's clone, no more.

DVC's cache and `.convoy` (MLflow's store, checkpoints, journals) are the clone's own; parameters, data,
dvc.lock and artifacts are the worktree's, which is gone after the run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convoy.environment import state_dir
from convoy.layout import STATE
from convoy.proof import worktree
from convoy.proof.worktree import Worktree

FOLDER = "scheduled"  # in `.convoy`
_HIDDEN = f"{STATE}\n.prefect\n"  # .gitignore's `.convoy/` matches folders, not a link to one


@dataclass(frozen=True)
class Workplace:
    """A commit laid out for a run.

    Attributes:
        root: the project in the person's clone.
        base: the commit that was laid out.
    """

    root: Path
    base: str
    tree: Worktree

    @property
    def project(self) -> Path:
        return self.tree.project

    def variables(self) -> dict[str, str]:
        """The environment of what runs here, beside that of the clone's project: the commit's own code."""
        code = self.project / "src"
        path = [str(code)] if code.is_dir() else []
        path += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
        return {"PYTHONPATH": os.pathsep.join(path)}


@contextmanager
def laid_out(root: Path, commit: str) -> Iterator[Workplace]:
    """Lay a commit out; what killed runs left is removed first.

    Raises:
        IntegrityError: the commit holds no DVC project.
        ResourceError: git failed.
    """

    def share(project: Path, _scratch: Path) -> Path:
        (project / STATE).symlink_to(state_dir(root).resolve())
        return _share_dvc(root, project)

    tree = f"tree/{root.name}"  # messages name a project by its folder
    with (
        worktree.laid_out(root, commit, folder=FOLDER, tree=tree, configure=share) as laid,
        worktree.own_state(laid),
        _hidden(laid.scratch / "gitignore"),
    ):
        yield Workplace(root, commit, laid)


def _share_dvc(root: Path, project: Path) -> Path:
    """The clone's cache, its remotes and its own settings; relative paths are turned to lead to the same."""
    from dvc.config_schema import RelPath  # DVC's files hold ASCII only: a path of the clone may not be
    from dvc.repo import Repo

    with Repo(str(root)) as own:
        cache = Path(own.cache.local.path)  # …/files/md5
        local = own.config.load_one("local")
        remotes = {name: remote["url"] for name, remote in own.config["remote"].items()}
    local.setdefault("cache", {})["dir"] = RelPath(cache.parents[1])
    for name, url in remotes.items():
        local.setdefault("remote", {}).setdefault(name, {})["url"] = url
    local.setdefault("core", {})["analytics"] = False
    with Repo(str(project)) as there, there.config.edit("local") as settings:
        settings.update(local)
    (project / ".dvc" / "config.local").chmod(0o600)  # a person's may hold passwords
    return cache


@contextmanager
def _hidden(file: Path) -> Iterator[None]:
    """What was linked into the worktree is no change of it: git is told by the environment, not in the clone.

    https://git-scm.com/docs/git#Documentation/git.txt-GITCONFIGCOUNT
    """
    file.write_text(_HIDDEN, encoding="utf-8")
    number = os.environ.get("GIT_CONFIG_COUNT", "0")
    own = {
        "GIT_CONFIG_COUNT": str(int(number) + 1),
        f"GIT_CONFIG_KEY_{number}": "core.excludesFile",
        f"GIT_CONFIG_VALUE_{number}": str(file),
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
