"""What the faults are injected into, and the table of trials at the end of `make faults`.

A test that makes several trials says how many with pytest's `record_property("trials", n)`; any other is one.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from convoy import layout
from tests import project as whole_project
from tests.faults.children import run_stage
from tests.faults.postgres import Postgres, programs

STAGES = {
    "ingest": layout.INGEST,
    "validate": layout.VALIDATE,
    "split": layout.SPLIT,
    "prepare": layout.PREPARE,
    "augment": layout.AUGMENT,
    "train": layout.TRAIN,
    "evaluate": layout.EVALUATE,
    "package": layout.BUNDLE,
}

Disk = Callable[[Path, int], Any]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project all of whose stages have run undisturbed; its caches are gone again."""
    root = tmp_path_factory.mktemp("finished") / "project"
    root.mkdir()
    whole_project.make_project(
        root, {"train": {"epochs": 3}, "validate": {"checks": {"label_issues": "off"}}}
    )
    for name in STAGES:
        code, said = run_stage(root, name, root.parent / f"{name}.log")
        assert code == 0, said
    shutil.rmtree(root / layout.STATE)
    shutil.rmtree(root / "src")
    shutil.rmtree(root / ".git")
    return root


def as_before(finished: Path, stage: str, root: Path) -> Path:
    """A copy of the finished project, as it is before a stage."""
    shutil.copytree(finished, root, symlinks=True)
    names = list(STAGES)
    for later in names[names.index(stage) :]:
        shutil.rmtree(root / STAGES[later])
    return root


def partial(out: Path, wanted: Path) -> list[str]:
    """Files under their final names that are not what they should be.

    Arrays count from the moment that their schema is there, which is written last; so does a bundle.
    """
    found: list[str] = []
    if out.name == "bundle" and not (out / "bundle.json").is_file():
        return found
    for path in sorted(out.rglob("*")) if out.is_dir() else []:
        name = path.relative_to(out)
        if path.is_dir() or name.name.startswith("."):
            continue
        if path.suffix == ".npy" and not (path.parent / "schema.json").is_file():
            continue
        whole = wanted / name
        if not whole.is_file() or whole.read_bytes() != path.read_bytes():
            found.append(str(name))
    return found


def differing(out: Path, wanted: Path) -> list[str]:
    """Files of two folders that are not the same."""
    names = {p.relative_to(folder) for folder in (out, wanted) for p in folder.rglob("*") if p.is_file()}
    return sorted(
        str(name)
        for name in names
        if not (out / name).is_file()
        or not (wanted / name).is_file()
        or (out / name).read_bytes() != (wanted / name).read_bytes()
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes disks of a given size in bytes; skips where this user may not mount one."""
    mounted: list[Path] = []

    def make(size: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip(f"a disk of a fixed size cannot be mounted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path, free: int) -> Iterator[None]:
    """Leave so many bytes of a disk free while the block lasts."""
    ballast = folder / ".ballast"
    state = os.statvfs(folder)
    with ballast.open("wb") as handle:
        size = state.f_bavail * state.f_frsize - free
        if size > 0:
            os.posix_fallocate(handle.fileno(), 0, size)
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; skips where none is installed."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (`apt-get install postgresql`)")
    made = Postgres.make(found)
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips where no system call can be made to fail."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (`apt-get install strace`)")
    probe = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"],
        capture_output=True,
        check=False,
    )
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode().strip()}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Trials by test: those that passed, and so lost nothing."""
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        if report.nodeid.startswith("tests/faults/"):
            name = report.nodeid.partition("[")[0].removeprefix("tests/faults/")
            counts[name] = counts.get(name, 0) + int(dict(report.user_properties).get("trials", 1))
    if counts:
        terminalreporter.section("faults injected")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"{count:5d}  {name}")
        terminalreporter.write_line(f"{sum(counts.values()):5d}  trials in all, nothing lost")
