"""A person's clone with a toy pipeline: real git and DVC, a stage that lists its data, a flow for it."""

import hashlib
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.project import ROOT, git

DATA = Path("data/raw/toy")

GRAPH = """
stages:
  list:
    cmd: python -c "import pathlib; names = sorted(p.name for p in pathlib.Path('data/raw/toy').iterdir());
      pathlib.Path('names.txt').write_text(' '.join(names))"
    deps: [data/raw/toy]
    outs: [names.txt]
"""

# What a pipeline of convoy does, in miniature: the stages, then a receipt.
FLOW = """
import json, os, pathlib, subprocess, sys
print("options", *sys.argv[1:])
if os.environ.get("TOY_ERROR"):
    sys.exit(int(os.environ["TOY_ERROR"]))
subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
receipt = {"name": "toy", "version": "1", "status": "champion", "verdict": {"reason": "first"},
           "saw": pathlib.Path("names.txt").read_text(), "where": os.getcwd()}
pathlib.Path(os.environ["CONVOY_RESULT"]).write_text(json.dumps(receipt))
"""


def dvc(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def make(root: Path) -> Path:
    """A committed clone on branch `main`; its data are tracked, its pipeline never ran."""
    (root / DATA).mkdir(parents=True)
    for name in ("a", "b"):
        (root / DATA / f"{name}.txt").write_text(name)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"].update(source="image_folder", path=DATA.as_posix())
    with (root / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "flows").mkdir()
    (root / "flows/pipeline.py").write_text(FLOW)
    (root / "flows/scheduled.py").write_text("")
    (root / ".gitignore").write_text("/.convoy/\n/names.txt\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    dvc(root, "init", "--quiet")
    dvc(root, "config", "core.analytics", "false")
    dvc(root, "add", "--quiet", DATA.as_posix())
    (root / ".convoy").mkdir()
    commit(root, "first")
    return root


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "--message", message)
    return head(root)


def head(root: Path, ref: str = "HEAD") -> str:
    return git(root, "rev-parse", ref).strip()


def workspace(root: Path) -> dict[str, tuple[str, int]]:
    """Every file of the person's: path -> (digest, time of change); and what git has checked out."""
    elsewhere = {".git", ".convoy", ".prefect"}  # and Python's and DVC's own caches
    own = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.relative_to(root).parts[0] not in elsewhere
        and path.relative_to(root).parts[:2] not in ((".dvc", "cache"), (".dvc", "tmp"))
    ]
    index = root / ".git" / "index"
    found = {
        path.relative_to(root).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in own
    }
    return {
        **found,
        "HEAD": ((root / ".git" / "HEAD").read_text() + head(root), 0),
        "index": (hashlib.sha256(index.read_bytes()).hexdigest(), 0),
    }
