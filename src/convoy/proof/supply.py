"""The raw data of a rebuild, by digest: from this clone, its cache, its remote, or a package that has them.

Data of another digest are taken in two cases, and loudly: those of the run are nowhere, or this clone's
differ from what its own .dvc file pins. Then the rebuild tells which samples were altered.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from convoy import digests, provenance
from convoy.data import fetch
from convoy.errors import ConvoyError, ResourceError
from convoy.layout import PARAMS
from convoy.proof import books, objects
from convoy.proof.worktree import Worktree

ALTERED = "this clone's data, which were ALTERED"


@dataclass(frozen=True)
class Supplied:
    """One input and where it was taken from.

    Attributes:
        path: relative to the project.
        wanted: the recorded digest; empty where none is recorded.
        found: the digest of what was taken.
        origin: in words.
    """

    path: str
    wanted: str
    found: str
    origin: str

    @property
    def fix(self) -> str:
        """What brings the data of the run back."""
        if self.same or not self.wanted:
            return ""
        if self.origin == ALTERED:
            return f"restore {self.path}: `dvc checkout --force {self.path}.dvc`, or remove it"
        return f"get the data of the run ({self.wanted}): `dvc push` them where they are, then try again"

    @property
    def same(self) -> bool:
        return bool(self.wanted) and self.wanted == self.found

    def as_dict(self) -> dict[str, str | bool]:
        return {**asdict(self), "same": self.same, "fix": self.fix}


def supply(
    root: Path,
    tree: Worktree,
    lock: Mapping[str, object] | None,
    say: Callable[[str], None],
) -> list[Supplied]:
    """Put every input that git does not hold into the worktree.

    Args:
        root: the project in this clone, whose cache, remote and data are looked at.
        lock: dvc.lock of the run; without it the .dvc files of the commit say which data were meant.
        say: receives what must not be overlooked.

    Raises:
        ResourceError: an input is nowhere.
        IntegrityError: an object of the cache or the remote was altered.
    """
    _bring_weights(root, tree)
    return [
        _supply(root, tree, path, wanted, say)
        for path, wanted in sorted(_wanted(tree.project, lock).items())
        if not (tree.project / path).exists() or Path(path).is_absolute()
    ]


def _bring_weights(root: Path, tree: Worktree) -> None:
    """A file of pretrained weights that git does not hold; the train stage compares it with model.sha256."""
    named = str((provenance.read_yaml(tree.project / PARAMS).get("model") or {}).get("weights") or "hub")
    target = tree.project / named
    if named == "hub" or named.startswith("package:") or target.exists():
        return
    if not target.resolve().is_relative_to(tree.scratch) or not (root / named).is_file():
        raise ResourceError(
            f"the weights {named} that training began with are not in the commit, nor in this clone",
            where=str(root / named),
            fix="put the file there, below the project (`dvc pull` where DVC tracks it)",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / named, target)


def _wanted(project: Path, lock: Mapping[str, object] | None) -> dict[str, str]:
    """Path -> recorded digest of the inputs of the stages: the lock's, else a .dvc file's, else unknown."""
    wanted = dict(books.inputs(books.lock_records(lock or {})))
    configured = provenance.read_yaml(project / PARAMS).get("data", {}).get("path")
    if configured:
        wanted.setdefault(str(configured), "")
    tracked = books.data_records(project)
    for path, digest in list(wanted.items()):
        for record in tracked:
            if record.path == path:
                wanted[path] = digest or record.md5
            elif books.covers(record.path, path):  # DVC knows the folder around it
                del wanted[path]
                wanted[record.path] = record.md5
    return wanted


def _supply(root: Path, tree: Worktree, path: str, wanted: str, say: Callable[[str], None]) -> Supplied:
    if Path(path).is_absolute():
        return _in_place(Path(path), wanted, say)
    target = tree.project / path
    if not target.resolve().is_relative_to(tree.scratch):
        raise ResourceError(
            "the data lie outside of the project, where a rebuild must not write",
            where=path,
            fix="move them below data/raw, or name them by an absolute path in params.yaml",
        )
    if wanted:
        own = root / path
        found = digests.md5_of(own, root)[0] if own.exists() else ""
        if found == wanted:
            _copy(own, target)
            return Supplied(path, wanted, found, "this clone's data, which have the recorded digest")
        if found and _altered(root, path, found):
            say(f"WARNING: {path} was altered in this clone: {found} is not what its .dvc file pins.")
            say("WARNING: taking it as it is, to find out what was altered.")
            _copy(own, target)
            return Supplied(path, wanted, found, ALTERED)
        cache = objects.cache_folder(root)
        if cache is not None and objects.from_cache(cache, wanted, target):
            return Supplied(path, wanted, wanted, "the DVC cache of this clone")
        if _fetched(root, wanted, target, say):
            return Supplied(path, wanted, wanted, "the DVC remote")
    made = _made(tree.project, path)
    if made is not None and (not wanted or made == wanted):
        return Supplied(path, wanted or made, made, "`convoy data get`")
    return _whatever_lies_here(root, path, wanted, target, say)


def _altered(root: Path, path: str, found: str) -> bool:
    """Whether the clone's data are not even those of its own .dvc file: nobody meant them to be so."""
    pins = [record.md5 for record in books.data_records(root) if record.path == path]
    return bool(pins) and found not in pins


def _fetched(root: Path, wanted: str, target: Path, say: Callable[[str], None]) -> bool:
    try:
        return objects.from_remote(root, wanted, target)
    except ResourceError as error:
        say(f"{error.what}; looking elsewhere")
        return False


def _made(project: Path, path: str) -> str | None:
    """The digest of data that convoy can make by itself, made in the worktree; None where it cannot."""
    name = Path(path).name
    if Path(path) != fetch.FOLDER / name or name not in fetch.names():
        return None
    try:
        return digests.md5_of(fetch.get(name, project), project)[0]
    except ConvoyError:
        return None


def _whatever_lies_here(
    root: Path, path: str, wanted: str, target: Path, say: Callable[[str], None]
) -> Supplied:
    """The last resort: data of another digest, so that the difference can be named."""
    own = root / path
    if not own.exists():
        raise ResourceError(
            f"the data {path} ({wanted or 'no digest recorded'}) are neither in the DVC cache nor in a "
            "remote nor in this clone",
            where=str(own),
            fix="`dvc push` them where the model was made, or copy them here",
        )
    found = digests.md5_of(own, root)[0]
    if wanted:
        say(f"WARNING: the recorded data {path} ({wanted}) are not to be had.")
        say(f"WARNING: taking this clone's, which are others ({found}).")
    else:
        say(f"WARNING: no digest of {path} is recorded; taking this clone's ({found}).")
    if target.exists():
        shutil.rmtree(target)
    _copy(own, target)
    origin = "this clone's data, which are NOT those of the run" if wanted else "this clone's data"
    return Supplied(path, wanted, found, origin)


def _in_place(path: Path, wanted: str, say: Callable[[str], None]) -> Supplied:
    if not path.exists():
        raise ResourceError("the data are not there", where=str(path), fix="mount or copy them")
    found = digests.md5_of(path)[0]
    if found != wanted:
        say(f"WARNING: {path} is {found}, the run had {wanted or 'a digest that is not recorded'}.")
    return Supplied(str(path), wanted, found, "where params.yaml names it")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
