"""What a schedule does at each tick: the parameters of its Prefect deployment, checked when it is added."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.errors import ConfigError
from convoy.layout import PARAMS
from convoy.proof.git import git
from convoy.schedule import commits

FLOW = Path("flows/scheduled.py")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Plan:
    """What a scheduled run is made of.

    Attributes:
        name: of the schedule; one project has no two of a name.
        ref: branch, tag, commit or HEAD; resolved when a run begins.
        push: `dvc push` after a run.
        commit_lock: the branch that gets dvc.lock and new `.dvc` files.
        on_new_data: a run happens only where the data are others than those of the last one.
        watch: a folder, absolute or below the project, whose files are the data of the run.
        fetch: `dvc update` the imported data before a run.
        settle: seconds for which the watched folder must not change.
    """

    name: str
    ref: str = "HEAD"
    push: bool = False
    commit_lock: str | None = None
    on_new_data: bool = False
    watch: str | None = None
    fetch: bool = False
    settle: float = 60.0

    def parameters(self) -> dict[str, Any]:
        """For the flow `scheduled`."""
        return asdict(self)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Plan":
        """What `parameters` gave; of an older or newer convoy, those that this one knows."""
        known = {name: value for name, value in parameters.items() if name in cls.__dataclass_fields__}
        return cls(**known)

    def folder(self, root: Path) -> Path | None:
        """The watched folder."""
        return None if self.watch is None else (root / self.watch).resolve()

    def check(self, root: Path) -> str:
        """The commit that a run would have now.

        Raises:
            ConfigError: the schedule cannot work.
            ResourceError: a remote does not answer.
        """
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a schedule",
                where="--name",
                fix="use letters, digits, _ and -",
            )
        if not (root / FLOW).is_file():
            raise ConfigError(
                "this project has no flow for schedules",
                where=str(root / FLOW),
                fix="`convoy init --refresh` brings it; commit it",
            )
        commit = commits.resolve(root, self.ref)
        if self.commit_lock is not None:
            commits.check_branch(root, self.commit_lock)
        if self.settle < 0:
            raise ConfigError("the settle time cannot be negative", where="--settle", fix="give seconds")
        self._check_data(root, commit)
        return commit

    def _check_data(self, root: Path, commit: str) -> None:
        folder = self.folder(root)
        if folder is not None and not folder.is_dir():
            raise ConfigError("there is no such folder", where=f"--watch {folder}", fix="make it first")
        if folder is None:
            return
        text = git(root, "show", f"{commit}:./{PARAMS.as_posix()}", check=False)
        path = str(provenance.parse_yaml(text).get("data", {}).get("path", ""))
        if not path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise ConfigError(
                "the files of a watched folder become the data of the run, which must lie in the project",
                where=f"{PARAMS}: data.path: {path or 'missing'} at commit {commit[:12]}",
                fix="use a path below data/raw, or leave out --watch",
            )
