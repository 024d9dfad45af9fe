"""A toy pipeline under real DVC: two tracked data sets, three stages in a row and one beside them."""

import shutil
import subprocess
import sys
from pathlib import Path

STAGES = """
stages:
  read:
    cmd: python stage.py read.txt raw/a.txt raw/b.txt
    deps: [raw, stage.py]
    outs: [read.txt]
  scale:
    cmd: python stage.py scale read.txt
    deps: [read.txt, raw]
    params: [factor]
    outs: [scale]
  sum:
    cmd: python stage.py sum.txt scale/out.txt
    deps: [scale]
    outs: [sum.txt]
  beside:
    cmd: python stage.py beside.txt stage.py
    deps: [stage.py]
    outs: [beside.txt]
"""

# Writes its output's name and what it reads into its output, a folder where the name has no suffix.
STAGE = """
import pathlib, sys
out, *sources = map(pathlib.Path, sys.argv[1:])
if not out.suffix:
    out.mkdir(exist_ok=True)
    out = out / "out.txt"
out.write_text(sys.argv[1] + "".join(source.read_text() for source in sources))
"""

NAMES = ["read", "scale", "sum", "beside"]


def dvc(root: Path, *arguments: str) -> str:
    """The output of a DVC command.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def make(root: Path) -> None:
    """The project before its first run; `raw` is tracked and feeds a stage, `other` feeds none."""
    (root / "raw").mkdir(parents=True)
    (root / "raw/a.txt").write_text("a")
    (root / "raw/b.txt").write_text("b")
    (root / "other.txt").write_text("other")
    (root / "stage.py").write_text(STAGE)
    (root / "params.yaml").write_text("factor: 1\n")
    (root / "dvc.yaml").write_text(STAGES)
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "add", "--quiet", "raw", "other.txt")


def copy(finished: Path, root: Path) -> Path:
    """A project with all that DVC knows of it; its database finds new inodes and hashes again."""
    shutil.copytree(finished, root)
    return root
