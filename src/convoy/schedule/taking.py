"""The data of a scheduled run, brought into its worktree: from a watched folder, imports, or as pinned."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.config.load import load
from convoy.data import downloads, fetch
from convoy.errors import ConfigError, DataError, ResourceError
from convoy.layout import PARAMS
from convoy.pipeline import code
from convoy.proof import books, pins
from convoy.proof.git import git
from convoy.schedule import arrivals
from convoy.schedule.arrivals import Listing
from convoy.schedule.plan import Plan
from convoy.schedule.workplace import Workplace

Say = Callable[[str], None]


@dataclass(frozen=True)
class Taken:
    """What a run trains on.

    Attributes:
        data: path -> DVC's digest, of all that `.dvc` files of the worktree pin.
        changed: files of the worktree that the commit has not, or has otherwise; what is to be committed.
    """

    data: Mapping[str, str]
    changed: tuple[str, ...]


def take(place: Workplace, plan: Plan, listing: Listing | None, say: Say) -> Taken:
    """Bring the data into the worktree; `.dvc` files and code pins are brought up to date.

    Args:
        listing: of the watched folder when it had settled.

    Raises:
        ConfigError: the data of the project cannot be replaced by a folder.
        DataError: the folder changed while it was read, or the commit knows no data.
        ResourceError: data are neither in the cache nor in a remote, or DVC failed.
    """
    project = place.project
    folder = plan.folder(place.root)
    with _dvc(project) as repo:
        if plan.fetch:
            _update_imports(repo, say)
        if folder is not None:
            _add(repo, project, folder, listing, say)
        _check_out(repo, project, say)
    code.refresh(project, say)
    records = {record.path: record.md5 for record in books.data_records(project)}
    return Taken(records, _changed(project))


def restore_artifacts(place: Workplace) -> None:
    """Lay out, from the cache, what dvc.lock says of the stages, so that DVC finds them up to date."""
    from dvc.exceptions import CheckoutError

    with _dvc(place.project) as repo:
        try:
            repo.checkout(force=True)
        except CheckoutError:
            return  # what the cache lacks runs again


def push(place: Workplace, say: Say) -> None:
    """`dvc push`: data and what the stages made.

    Raises:
        ResourceError: the remote does not answer, or there is none.
    """
    with _dvc(place.project) as repo:
        sent = repo.push()
    say(f"dvc push: {sent:,} files sent" if sent else "dvc push: the remote has it all")


def _update_imports(repo: Any, say: Say) -> None:
    """`dvc update` of every import; those that name a fixed revision stay."""
    imports = [stage for stage in repo.index.stages if stage.is_import]
    for stage in imports:
        before = stage.outs[0].hash_info.value
        (updated,) = repo.update([stage.path])
        if updated.outs[0].hash_info.value != before:
            say(f"{stage.path_in_repo}: new data")
    if not imports:
        say("nothing is imported here (`dvc import`), so there is nothing to update")


def _add(repo: Any, project: Path, folder: Path, listing: Listing | None, say: Say) -> None:
    """`dvc add` the files of the folder under the path of the project's data."""
    path = str(provenance.read_yaml(project / PARAMS).get("data", {}).get("path", ""))
    around = [each for each in books.data_records(project) if books.covers(each.path, path)]
    if around and around[0].path != path:
        raise ConfigError(
            f"{around[0].book} tracks more than the data of the run",
            where=f"{PARAMS}: data.path: {path}",
            fix=f"`dvc remove {around[0].book}`, `dvc add {path}`, commit; or leave out --watch",
        )
    if not listing:
        raise DataError("the watched folder is empty", where=str(folder), fix="put data into it")
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    repo.add([str(folder)], out=str(project / path), force=True)
    if arrivals.listing(folder) != listing:
        raise DataError(
            "files changed while they were read", where=str(folder), fix="the next run takes them up"
        )
    say(f"{len(listing):,} files of {folder} are the data of this run")


def _check_out(repo: Any, project: Path, say: Say) -> None:
    """Lay out what the `.dvc` files pin, from cache or remote, and a named data set that nobody tracks."""
    from dvc.exceptions import CheckoutError

    made = {(fetch.FOLDER / name).as_posix() for name in fetch.names()}  # the flow makes these by itself
    tracked = {record.book for record in books.data_records(project) if record.path not in made}
    if tracked:
        targets = sorted(str(project / book) for book in tracked)
        try:
            repo.checkout(targets=targets, force=True)
        except CheckoutError:
            say("data that the cache lacks are pulled")
            repo.pull(targets=targets, force=True)
    config = load(project / PARAMS).data
    if config.path in made or (project / config.path).exists():
        return
    if config.source == "named" and config.dataset is not None:
        downloads.get(config.dataset, project / config.path, say=say)
        return
    raise DataError(
        f"the commit knows no data {config.path}: neither git nor DVC has them",
        where=f"{PARAMS}: data.path",
        fix=f"`dvc add {config.path}` and commit {config.path}.dvc, or --watch the folder",
    )


def _changed(project: Path) -> tuple[str, ...]:
    """Data and pins that differ from the commit; not dvc.lock, which the run writes."""
    told = git(project, "-c", "core.quotepath=off", "status", "--porcelain=v1", "-z",
               "--untracked-files=all", "--no-renames", "--", ".")  # fmt: skip
    prefix = git(project, "rev-parse", "--show-prefix").strip()
    names = [entry[3:].removeprefix(prefix) for entry in told.split("\0") if entry]
    wanted = [
        n for n in names if n.endswith((".dvc", ".gitignore")) or books.covers(pins.FOLDER.as_posix(), n)
    ]
    return tuple(sorted(wanted))


@contextmanager
def _dvc(project: Path) -> Iterator[Any]:
    """DVC in a worktree, quiet.

    Raises:
        ResourceError: it failed.
    """
    import logging

    from dvc.exceptions import DvcException
    from dvc.progress import Tqdm
    from dvc.repo import Repo

    Tqdm.monitor_interval = 0
    logger = logging.getLogger("dvc")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with Repo(str(project)) as repo:
            yield repo
    except (DvcException, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ResourceError(
            f"DVC failed: {first}", where=str(project), fix="`dvc remote list`; are the data pushed?"
        ) from error
    finally:
        logger.setLevel(before)
