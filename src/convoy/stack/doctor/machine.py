"""This machine: disk and GPU."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from convoy.stack.doctor.finding import Finding

_GIB = 1 << 30
_LITTLE, _TOO_LITTLE = 5 * _GIB, 1 * _GIB
_SECONDS = 20.0


def look(root: Path) -> Iterator[Finding]:
    yield from _disk(root)
    yield from _gpu()


def _disk(root: Path) -> Iterator[Finding]:
    """Free space where results, DVC's cache and temporary files go, once for each file system."""
    import tempfile

    seen: dict[int, str] = {}
    for name, path in (
        ("the project", root),
        ("DVC's cache", _cache(root)),
        ("temporary files", Path(tempfile.gettempdir())),
    ):
        if path.exists() and (device := path.stat().st_dev) not in seen:
            seen[device] = name
            free = shutil.disk_usage(path).free
            said = f"{free / _GIB:.1f} GiB are free for {name} ({path})"
            fix = "`dvc gc --workspace` and `convoy registry gc` free space" if free < _LITTLE else ""
            yield Finding(
                "disk", "broken" if free < _TOO_LITTLE else "note" if free < _LITTLE else "ok", said, fix
            )


def _cache(root: Path) -> Path:
    from convoy.proof import objects

    return objects.cache_folder(root) or root / ".dvc" / "cache"


def _gpu() -> Iterator[Finding]:
    """What the driver sees, and what torch sees of it."""
    import torch

    driver = shutil.which("nvidia-smi")
    listed: list[str] = []
    if driver:
        query = [driver, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=False)
            listed = done.stdout.splitlines() if done.returncode == 0 else []
        except subprocess.TimeoutExpired:
            yield Finding(
                "GPU", "broken", f"nvidia-smi did not answer in {_SECONDS:g} s", "the driver hangs: restart"
            )
            return
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            yield Finding("GPU", "ok", f"{name}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free")
    elif listed:
        built = f"torch {torch.__version__} was built for CUDA {torch.version.cuda or 'not at all'}"
        fix = f"{built}: install one for the driver"
        yield Finding("GPU", "broken", f"torch cannot use {listed[0]}", fix)
    elif torch.backends.mps.is_available():
        yield Finding("GPU", "ok", "Apple's GPU (mps)")
    else:
        yield Finding("GPU", "ok", "none; training runs on the processor")
