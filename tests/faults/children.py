"""Stages in processes of their own, started in milliseconds, that a disk fault can strike.

They are forked from a server that has imported everything and run nothing, so no thread of torch is lost.
"""

import importlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from convoy import environment
from convoy.cli.system_errors import as_convoy
from convoy.config.load import load
from convoy.errors import ConvoyError
from convoy.layout import PARAMS

_context = get_context("forkserver")
_context.set_forkserver_preload(
    ["tests.faults.children", "albumentations", "omegaconf", "convoy.registry.tracking"]
    + [
        f"convoy.stages.{n}"
        for n in ("ingest", "validate", "split", "prepare", "augment", "train", "evaluate")
    ]
    + ["convoy.stages.package", "sklearn.linear_model", "matplotlib.figure", "onnxruntime"]
)
_SECONDS = 240.0


@dataclass(frozen=True)
class Fault:
    """The n-th write of the process, counted over its threads one by one, fails."""

    error: str  # ENOSPC, EIO
    at: int

    def strike(self) -> "subprocess.Popen[bytes]":
        """Let strace take hold of this process and of all that it starts."""
        calls = "write,pwrite64,writev,fallocate,fsync,ftruncate"
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
             "-e", f"inject={calls}:error={self.error}:when={self.at}", "-p", str(os.getpid())],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
            assert tracer.poll() is None, "strace cannot trace"
            time.sleep(0.002)
        return tracer


def run_stage(root: Path, name: str, log: Path, fault: Fault | None = None) -> tuple[int, str]:
    """Exit code, as `convoy stage` would give it, and output of one stage of the project `root`."""
    process = _context.Process(target=_stage, args=(root, name, log, fault))
    process.start()
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{name} hangs: {log.read_text(encoding='utf-8', errors='replace')}")
    code = process.exitcode
    process.close()
    return code, log.read_text(encoding="utf-8", errors="replace")


def _stage(root: Path, name: str, log: Path, fault: Fault | None) -> None:
    with log.open("w", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(root)
    environment.apply(root)
    main = importlib.import_module(f"convoy.stages.{name}").main
    config = load(PARAMS)
    tracer = fault.strike() if fault else None
    code = 0
    told = ""
    try:
        main(config)
    except (ConvoyError, OSError) as error:
        known = as_convoy(error)
        if known is None:
            raise
        code, told = known.exit_code, str(known)
    if tracer is not None:
        tracer.terminate()  # it lets go: what is said of the error is not struck
        tracer.wait()
    if told:
        print(told, flush=True)  # noqa: T201
    sys.exit(code)
