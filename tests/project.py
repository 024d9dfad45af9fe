"""A small project for end-to-end tests: this checkout's files, a toy image folder, its own git repository."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
_FILES = ("flows", "src", "scripts", "dvc.yaml", "params.yaml", "prefect.yaml", "pyproject.toml",
          "requirements.lock", "data/fixes.csv", ".dvc/config", ".dvc/.gitignore",
          ".dvcignore", ".gitignore")  # fmt: skip


def make_pictures(folder: Path, per_class: int = 24) -> None:
    """Two classes, a bright upper half or a bright lower half, with a Chinese name and a space in it."""
    random = np.random.default_rng(0)
    for number, name in enumerate(("上 up", "下 down")):
        (folder / name).mkdir(parents=True)
        for n in range(per_class):
            pixels = random.integers(0, 80, (20, 20, 3), dtype=np.uint8)
            half = slice(0, 10) if number == 0 else slice(10, 20)
            pixels[half] += 120
            Image.fromarray(pixels).save(folder / name / f"图 {n}.png")


def copy_files(folder: Path) -> None:
    """This checkout's code, graph and settings."""
    for name in _FILES:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def make_project(folder: Path, changes: dict[str, dict[str, Any]] | None = None) -> Path:
    """Lay out a committed project whose parameters train in seconds."""
    copy_files(folder)
    make_pictures(folder / "data" / "raw" / "toy")
    yaml = YAML()
    params = yaml.load((folder / "params.yaml").read_text(encoding="utf-8"))
    settings: dict[str, dict[str, Any]] = {
        "data": {"source": "image_folder", "path": "data/raw/toy"},
        "prepare": {"height": 16, "width": 16, "channels": 1, "resize": "stretch"},
        "train": {"epochs": 6, "batch_size": 8, "precision": "fp32", "threads": 1},
        "evaluate": {"resamples": 100, "robustness_samples": 8},
        "flow": {"retries": 0},
    }
    for section, values in [*settings.items(), *(changes or {}).items()]:
        params[section].update(values)
    params["model"] = {"name": "lenet5"}
    params["train"]["optimizer"]["lr"] = 0.005
    params["register"]["gate"].update(minimum=0.6, beat_baseline=False, max_ece=None, slice_margin=None)
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    with (folder / ".gitignore").open("a") as handle:
        handle.write("/data/raw/\n")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--message", "as it is")


def environment(folder: Path) -> dict[str, str]:
    """The user's environment, with this interpreter's commands first and the project's own code."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PREFECT_"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**clean, "PATH": path, "PYTHONPATH": str(folder / "src"), "NO_COLOR": "1", "COLUMNS": "120"}


def run(folder: Path, *command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def processes(project: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Command line and process of all that run in this project."""
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == project:
                yield " ".join(process.cmdline()).rstrip(), process
        except psutil.Error:
            continue
