"""Which folds are trained, with which parameters, in which folders.

    .convoy/folds/base/             ingest and validate, which no fold changes
    .convoy/folds/<key>/            of these data, parameters and this code
        seed-0/fold-03/             a project of its own: params.yaml, artifacts/, .convoy/, links to the rest
            done.json               written last
        folds.csv, predictions.parquet, result.json

The person's artifacts, params.yaml and dvc.lock are not touched.
"""

import copy
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import convoy
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.environment import state_dir
from convoy.errors import ConfigError
from convoy.io import dump_json, sha256_bytes, sha256_file, write_text
from convoy.layout import ARTIFACTS, INGEST, PARAMS, STATE, VALIDATE
from convoy.provenance import read_yaml

FOLDER = "folds"  # in `.convoy`
DONE, FAILURE = "done.json", "failure.json"

_CODE = ("config", "data", "evaluation", "models", "stages", "training")
_SECTIONS = ("data", "validate", "split", "prepare", "augment", "model", "objective", "train", "evaluate")
_OWN = {PARAMS.name, ARTIFACTS.name, STATE.name, ".git", ".dvc", ".prefect", "dvc.lock"}
_KEPT = 3  # folders of earlier commands


@dataclass(frozen=True)
class Fold:
    """One training.

    Attributes:
        seed: of split and training; None: params.yaml's.
        number: from 0, the fold that tests.
        folder: where it works.
    """

    seed: int | None
    number: int
    folder: Path

    @property
    def name(self) -> str:
        seed = "" if self.seed is None else f"seed {self.seed}, "
        return f"{seed}fold {self.number + 1}"


@dataclass(frozen=True)
class Plan:
    """Attributes:
    key: of data, parameters and code; 16 hex digits.
    params: of params.yaml, plain.
    """

    root: Path
    config: Config
    params: Mapping[str, Any]
    key: str
    count: int
    seeds: tuple[int | None, ...]

    @property
    def folder(self) -> Path:
        return state_dir(self.root) / FOLDER / self.key

    @property
    def folds(self) -> list[Fold]:
        """Seed by seed."""
        return [
            Fold(seed, n, self.folder / ("seed" if seed is None else f"seed-{seed}") / f"fold-{n:02d}")
            for seed in self.seeds
            for n in range(self.count)
        ]

    def lay(self, fold: Fold) -> None:
        """Make the fold's folder, or bring what a killed command left to its beginning.

        Checkpoints stay: training goes on where it was.
        """
        lay_out(self.root, fold.folder, of_fold(self.params, self.count, fold))
        if fold.folder.joinpath(ARTIFACTS).is_dir():
            shutil.rmtree(fold.folder / ARTIFACTS)
        for stage in (INGEST, VALIDATE):
            (fold.folder / stage).parent.mkdir(parents=True, exist_ok=True)
            (fold.folder / stage).symlink_to(base(self.root) / stage)


def base(root: Path) -> Path:
    """Where ingest and validate work."""
    return state_dir(root) / FOLDER / "base"


def plan(root: Path, config: Config, count: int | None, seeds: Sequence[int]) -> Plan:
    """The plan for samples that `base` has validated.

    Args:
        count: number of folds; None: split.folds.
        seeds: of repetitions; none: one, with the seeds of params.yaml.

    Raises:
        ConfigError: a seed stands twice, or the parameters do not allow folds.
    """
    if len(set(seeds)) < len(seeds):
        raise ConfigError("a seed stands there twice", where="--seeds", fix="name each seed once")
    params = read_yaml(root / PARAMS)
    folds = count or config.split.folds
    samples = base(root) / VALIDATE / "samples.parquet"
    known = {
        "samples": sha256_file(samples),
        "params": {name: params.get(name) for name in _SECTIONS},
        "folds": folds,
        "seeds": list(seeds),
        "code": _code(),
    }
    key = sha256_bytes(dump_json(known).encode("utf-8"))[:16]
    return Plan(root, config, params, key, folds, tuple(seeds) or (None,))


def of_fold(params: Mapping[str, Any], count: int, fold: Fold) -> dict[str, Any]:
    """params.yaml of a fold: its split, its seeds, and no damaged test samples."""
    found = copy.deepcopy(dict(params))
    found["split"] = {**found["split"], "strategy": "folds", "folds": count, "fold": fold.number}
    found["evaluate"] = {**found["evaluate"], "robustness_samples": 0}
    if fold.seed is not None:
        found["split"]["seed"] = fold.seed
        found["train"] = {**found["train"], "seed": fold.seed}
    return found


def lay_out(root: Path, folder: Path, params: Mapping[str, Any]) -> Config:
    """A folder in which stages run as in the project: its files by links, state and artifacts of its own.

    Finished work of single samples (`.convoy/cache`) is shared with the project: it is kept by content.

    Raises:
        ConfigError: the parameters do not go together.
    """
    from ruamel.yaml import YAML

    cache = state_dir(root) / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (folder / STATE).mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        if path.name not in _OWN:
            _link(folder / path.name, path)
    _link(folder / STATE / "cache", cache)
    text = StringIO()
    YAML(typ="safe").dump(dict(params), text)
    write_text(folder / PARAMS, text.getvalue())
    return load(folder / PARAMS)


def _link(place: Path, target: Path) -> None:
    if place.is_symlink():
        if place.readlink() == target:
            return
        place.unlink()
    place.symlink_to(target)


def prune(root: Path, keep: str) -> None:
    """Remove the folders of long past commands."""
    place = state_dir(root) / FOLDER
    others = [path for path in place.iterdir() if path.is_dir() and path.name not in ("base", keep)]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _code() -> str:
    package = Path(convoy.__file__).parent
    sources = sorted(path for part in _CODE for path in (package / part).rglob("*.py"))
    lines = [f"{sha256_file(path)}  {path.relative_to(package).as_posix()}\n" for path in sources]
    return sha256_bytes("".join(lines).encode())
