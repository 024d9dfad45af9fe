"""What a project's own disk should hold: raw data, DVC's cache, the stages' outputs, the bundle."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from convoy import digests, provenance
from convoy.bundle import contents
from convoy.io import sha256_bytes, sha256_file
from convoy.layout import BUNDLE, INGEST
from convoy.proof import audit, books, objects
from convoy.proof.audit import Expectation, File, Folder, Problem
from convoy.proof.books import Record

_HEX = frozenset("0123456789abcdef")
_OUT_FIX = "`dvc checkout --force {path}` restores it from the cache; `convoy run` makes it again"
_DATA_FIX = "restore it (`dvc checkout --force {path}`, a backup); if the change was meant, `convoy run`"
_CACHE_FIX = "remove it, then `dvc fetch`, or `convoy run` to make it again"


def plan(root: Path, cache: Path | None) -> Iterator[Expectation]:
    """Everything that has a recorded digest and lies here; what is not here is not altered."""
    lock = books.lock_records(provenance.read_yaml(root / provenance.DVC_LOCK))
    data = [*books.data_records(root)]
    data += [record for record in _raw(root, lock) if record.path not in {known.path for known in data}]
    for record in data:
        yield from _record(root, "data", record, cache, _DATA_FIX)
    for record in lock:
        if record.role == "out":
            yield from _record(root, "artifacts", record, cache, _OUT_FIX)
    if cache is not None:
        yield from _cache(root, cache)
    if (root / BUNDLE / contents.SUMS).is_file():
        yield Sums("bundle", root / BUNDLE, BUNDLE.as_posix(), "`convoy run` makes the bundle again")


@dataclass(frozen=True)
class Sums:
    """A bundle against its own SHA256SUMS; `digest` is its registered name, where it has one."""

    area: str
    bundle: Path
    shown: str
    fix: str
    digest: str = ""

    def needs(self) -> Sequence[audit.Key]:
        return [(path, "sha256") for path in contents.files(self.bundle).values()]

    def judge(self, found: audit.Found) -> list[Problem]:
        sums: dict[str, str] = {}
        for name, path in contents.files(self.bundle).items():
            value = found[path, "sha256"]
            if isinstance(value, OSError):
                return [audit.unreadable(self.area, f"{self.shown}/{name}", value)]
            sums[name] = value
        problems = [
            Problem(self.area, "a link leads out of the bundle", f"{self.shown}/{name}", fix=self.fix)
            for name in contents.leaving(self.bundle)
        ]
        problems += [
            Problem(self.area, text, f"{self.shown}/{text.partition(' ')[0].rstrip(':')}", fix=self.fix)
            for text in contents.altered(self.bundle, sums)
        ]
        name = contents.name_of(sums)
        if self.digest and name != self.digest:
            what = "the bundle is not the one that was registered"
            problems.append(Problem(self.area, what, self.shown, self.digest, name, self.fix))
        return problems


def _record(root: Path, area: str, record: Record, cache: Path | None, fix: str) -> Iterator[Expectation]:
    path, fix = root / record.path, fix.format(path=record.path)
    if path.is_dir():
        files = digests.listing(path, root)
        known = objects.folder_listing(cache, record.md5)
        name = partial(_altered_samples, root, path) if area == "data" else list
        yield Folder(area, path, record.md5, record.path, fix, files, known, name)
    elif path.is_file():
        yield File(area, path, record.md5, record.path, fix)


def _raw(root: Path, lock: Sequence[Record]) -> list[Record]:
    """Inputs of the stages that neither a stage nor git keeps: data that were never given to DVC."""
    tracked = _tracked(root)
    found = {}
    for path, md5 in books.inputs(lock).items():
        own = md5.endswith(".dir") if tracked is None else path not in tracked
        if own:
            found[path] = Record(path, md5, str(provenance.DVC_LOCK), "dep")
    return list(found.values())


def _tracked(root: Path) -> set[str] | None:
    """Files that git knows, relative to the project; None without git."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return set(done.stdout.decode("utf-8", "replace").split("\0")) if done.returncode == 0 else None


def _altered_samples(root: Path, folder: Path) -> list[str]:
    """Files whose content is not that of the ids in the ingest stage's table, where samples are files."""
    import pandas as pd

    try:
        table = pd.read_parquet(root / INGEST / "samples.parquet", columns=["path", "id"])
    except (OSError, ValueError):
        return []
    known: Mapping[str, str] = dict(zip(table["path"], table["id"], strict=True))
    present = digests.listing(folder, root)
    if not known.keys() & present.keys():
        return []  # samples are rows of packed files
    gone = sorted(known.keys() - present.keys())
    return gone + [
        name
        for name, path in present.items()
        if name in known and sha256_file(path)[: len(known[name])] != known[name]
    ]


def _cache(root: Path, cache: Path) -> Iterator[Expectation]:
    """Every object of the cache by its name, and DVC's run cache by the digests that name its entries."""
    for path in sorted(cache.glob("??/*")):
        name = f"{path.parent.name}{path.name}"
        digest = name.removesuffix(".dir")
        if path.is_file() and len(digest) == 32 and _HEX.issuperset(digest):
            yield File("cache", path, digest, _shown(path, root), _CACHE_FIX)
    for path in sorted((cache.parent.parent / "runs").glob("??/*/*")):
        if path.is_file() and len(path.name) == 64 and _HEX.issuperset(path.name):
            yield RunEntry("cache", path, _shown(path, root))


@dataclass(frozen=True)
class RunEntry:
    """A memory of DVC's of what a stage made. Its name is the digest of its values, sizes left out."""

    area: str
    path: Path
    shown: str

    def needs(self) -> Sequence[audit.Key]:
        return [(self.path, "md5")]

    def judge(self, found: audit.Found) -> list[Problem]:
        if isinstance(error := found[self.path, "md5"], OSError):
            return [audit.unreadable(self.area, self.shown, error)]
        value = _without_sizes(provenance.read_yaml(self.path))
        name = sha256_bytes(json.dumps(value, sort_keys=True).encode("utf-8"))
        if name == self.path.name:
            return []
        fix = "remove it: DVC will run the stage instead of restoring it"
        return [Problem(self.area, "the file was altered", self.shown, self.path.name, name, fix)]


def _without_sizes(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_sizes(item) for key, item in value.items() if key not in ("size", "nfiles")}
    return [_without_sizes(item) for item in value] if isinstance(value, list) else value


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
