"""Environments of other frameworks: made once from a file of pinned packages, kept below .convoy/cache."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.checkout import PROJECT
from benchmarks.measure import Unavailable
from convoy.io import sha256_bytes

_KEPT = PROJECT / ".convoy" / "cache" / "rivals"
_COMPLETE = ".complete"


def python(requirements: Path, *, borrow: bool = False) -> Path:
    """The interpreter of the environment that a file of `name==version` lines describes.

    Args:
        borrow: it sees this environment's packages, too, after its own: torch is 5 GB.

    Raises:
        Unavailable: its packages cannot be installed.
    """
    facts = [requirements.read_text(encoding="utf-8"), sys.version, sys.prefix if borrow else ""]
    home = _KEPT / sha256_bytes("\n".join(facts).encode())[:16]
    interpreter = home / "bin" / "python"
    if (home / _COMPLETE).is_file() and interpreter.exists():
        return interpreter
    shutil.rmtree(home, ignore_errors=True)
    _uv("venv", "--quiet", "--python", sys.executable, str(home))
    _uv(
        *("pip", "install", "--quiet", "--no-deps", "--compile-bytecode"),
        *("--python", str(interpreter), "--requirement", str(requirements)),
    )
    if borrow:
        theirs = sysconfig.get_path("purelib", vars={"base": str(home)})
        Path(theirs, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (home / _COMPLETE).touch()
    return interpreter


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise Unavailable("uv is missing (`make setup-dev`)")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"`uv {arguments[0]}` failed: {''.join(last)}")
