"""A pipeline with nothing to do over a folder of many small pictures: `convoy run` beside `dvc status`.

The project is this one, run once for real: its own stages, a plain folder of pictures as `data.path` (as many
as --files says), a small network for one epoch. Then the two commands take turns. Nothing changes in between
and DVC's database of hashes is warm, as it is after any run; the last row shows `dvc status` without it.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from ruamel.yaml import YAML

from benchmarks import checkout
from benchmarks.checkout import PROJECT
from benchmarks.measure import Report, Side, in_turns, ratio, spread, verdict

TARGET = 1.3  # of `dvc status`
FILES = 50_000
CLASSES = 10
SIDE = 8  # pixels

RUN, STATUS, COLD = "convoy run", "dvc status", "dvc status, its database lost"
_DATA = Path("data/raw/many")
_SITE = "DVC_SITE_CACHE_DIR"  # where DVC keeps its database of hashes
_ELSEWHERE = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "MPLCONFIGDIR")


def run(rounds: int, progress: Callable[[str], None], *, files: int = FILES) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        root, site = Path(folder) / "project", Path(folder) / "site"
        progress(f"writing {files} pictures")
        make(root, files)
        progress("the first run, which has everything to do")
        first = _command(root, site, "convoy", "run")()
        run, status = _command(root, site, "convoy", "run"), _command(root, site, "dvc", "status")
        seconds = in_turns({RUN: run, STATUS: status}, rounds, progress)
        progress(COLD)
        shutil.rmtree(site)
        cold = status()
    found = ratio(seconds[RUN], seconds[STATUS])
    return Report(
        title=f"seconds with nothing to do, {files} pictures of {SIDE}×{SIDE} in a folder",
        columns=["command", "s (least–most)", "ratio", f"target ≤ {TARGET} at {FILES}"],
        rows=[
            [RUN, spread(seconds[RUN]), f"{found:.2f}", verdict(found, TARGET) if files >= FILES else ""],
            [STATUS, spread(seconds[STATUS]), "1", ""],
            [COLD, f"{cold:.2f}", "", ""],
        ],
        notes=[
            f"The first `convoy run`, with everything to do: {first:.0f} s.",
            "Both find that nothing is left to do; `convoy run` also that the bundle is registered.",
        ],
        data={
            "files": files, "seconds": seconds, "cold": cold, "first": first, "ratio": found,
            "ratio_of_medians": median(seconds[RUN]) / median(seconds[STATUS]),
            "target": TARGET, "met": found <= TARGET,
        },
    )  # fmt: skip


def make(root: Path, files: int) -> None:
    """This project as it is now, with other data and a training that takes seconds."""
    checkout.copy(root, own_data=False)
    write_pictures(root / _DATA, files)
    yaml = YAML()
    params = yaml.load((PROJECT / "recipes" / "digits.yaml").read_text(encoding="utf-8"))
    params["data"].update(source="image_folder", path=_DATA.as_posix())
    params["prepare"].update(height=16, width=16, channels=1)
    params["model"] = {"name": "lenet5"}
    params["train"].update(epochs=1, batch_size=512, precision="fp32")
    params["train"]["schedule"] = {"name": "fixed"}
    params["evaluate"].update(resamples=100, robustness_samples=8, baseline="none")
    params["register"]["gate"].update(minimum=0.0, beat_baseline=False, max_ece=None, slice_margin=None)
    with (root / "params.yaml").open("w", encoding="utf-8") as handle:
        yaml.dump(params, handle)
    with (root / ".gitignore").open("a", encoding="utf-8") as handle:
        handle.write(f"/{_DATA}/\n")
    checkout.commit(root)


def write_pictures(folder: Path, count: int) -> None:
    """Noise with a bright row or column, which tells the class; all different."""
    random = np.random.default_rng(0)
    for number in range(count):
        label = number % CLASSES
        pixels = random.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        if label < SIDE:
            pixels[label] += 150
        else:
            pixels[:, label - SIDE] += 150
        path = folder / f"class {label}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _command(root: Path, site: Path, *command: str) -> Side:
    tools = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment["PATH"] = f"{tools}{os.pathsep}{environment.get('PATH', '')}"
    environment["PYTHONPATH"] = str(root / "src")
    environment[_SITE] = str(site)

    def side() -> float:
        start = time.perf_counter()
        done = subprocess.run(
            [str(tools / command[0]), *command[1:]],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        taken = time.perf_counter() - start
        if done.returncode:
            last = "\n".join(done.stdout.splitlines()[-40:])
            raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}:\n{last}")
        if command == ("dvc", "status") and "up to date" not in done.stdout:
            raise RuntimeError(f"something is left to do:\n{done.stdout}")
        return taken

    return side
