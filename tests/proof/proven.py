"""A registered toy project whose data, cache and outputs DVC knows, for the tests of `verify`."""

import shutil
from pathlib import Path

from dvc.repo import Repo
from ruamel.yaml import YAML

from convoy import digests, layout
from convoy.proof import objects
from convoy.registry import register, tracking
from tests.registry.fixtures import Project

DATA = Path("data/raw/toy")


def prove(project: Project, models: tuple[str, ...] = ("good", "poor")) -> Project:
    """`dvc add` the data, record the outputs in dvc.lock and the cache, register the models one by one."""
    root = project.root
    (root / ".gitignore").write_text("/.convoy/\n/artifacts/\n")
    (root / f"{DATA}.dvc").unlink(missing_ok=True)  # as `dvc add` writes it, with the cache
    with Repo.init(str(root)) as repo:
        repo.add(str(root / DATA))
    for model in models:
        project.use(model)
        record_outputs(root)
        project.commit()
        register.register(root, project.config, tracking.sync(root, project.config))
    return project


def record_outputs(root: Path) -> None:
    """What `dvc repro` leaves: dvc.lock, and every output in the cache."""
    outs = [layout.SPLIT, layout.PREPARE, layout.TRAIN, layout.EVALUATE, layout.BUNDLE]
    stages = {path.name: {"cmd": "none", "outs": [_cached(root, path)]} for path in outs}
    data = digests.md5_of(root / DATA, root)[0]
    stages["ingest"] = {"cmd": "none", "deps": [{"path": DATA.as_posix(), "hash": "md5", "md5": data}]}
    with (root / "dvc.lock").open("w", encoding="utf-8") as handle:
        YAML().dump({"schema": "2.0", "stages": stages}, handle)


def cache(root: Path) -> Path:
    found = objects.cache_folder(root)
    assert found is not None
    return found


def _cached(root: Path, path: Path) -> dict[str, str]:
    digest, entries = digests.md5_of(root / path, root)
    folder = cache(root)
    for name, md5 in entries.items():
        target = objects.object_path(folder, md5)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path / name, target)
    index = objects.object_path(folder, digest)
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_bytes(digests.dump_listing(entries))
    return {"path": path.as_posix(), "hash": "md5", "md5": digest}
