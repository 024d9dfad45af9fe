"""Golden samples: a few test samples with the answers that torch gave, kept in the bundle.

Every other way to predict (ONNX, pyfunc, the bundle's own program) must agree with them. They are stored as
they come (a picture as PNG of the prepared array), so a check goes the whole way: decoding, preprocessing,
network, softmax.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.errors import IntegrityError
from convoy.io import read_json, write_bytes, write_json
from convoy.serving.outputs import Output

FOLDER, INDEX = Path("golden"), "golden.json"
COUNT = 16
TOLERANCE = 1e-4


def choose(target: NDArray[np.int64], count: int = COUNT) -> NDArray[np.int64]:
    """Rows of up to `count` samples, spread over the classes: the first of each, then the second …"""
    rank = np.zeros(len(target), np.int64)
    for label in np.unique(target):
        rows = np.flatnonzero(target == label)
        rank[rows] = np.arange(len(rows))
    order = np.lexsort((np.arange(len(target)), target, rank))
    return np.sort(order[:count])


def write(
    bundle: Path,
    contents: Sequence[bytes],
    ending: str,
    ids: Sequence[str],
    targets: Sequence[Any],
    rows: NDArray[np.float64],
    key: str = "probabilities",
) -> None:
    """Store the samples and, last, their index with the expected numbers.

    Args:
        contents: of files that end in `ending` (".png").
        rows: what is expected, a row a sample, rounded to 8 decimals.
        key: what the numbers are called.
    """
    folder = bundle / FOLDER
    samples = []
    for number, (content, row) in enumerate(zip(contents, rows, strict=True)):
        name = f"{number:02d}{ending}"
        write_bytes(folder / name, content)
        samples.append(
            {
                "file": name,
                "id": ids[number],
                "target": targets[number],
                key: [round(float(value), 8) for value in row],
            }
        )
    write_json(folder / INDEX, {"tolerance": TOLERANCE, "samples": samples})


def read(bundle: Path) -> list[dict[str, Any]]:
    """[{"file", "id", "target", "probabilities" (or what else is expected), "content"}], the content as
    bytes.
    """
    samples = read_json(bundle / FOLDER / INDEX)["samples"]
    return [{**sample, "content": (bundle / FOLDER / sample["file"]).read_bytes()} for sample in samples]


def expected(sample: Mapping[str, Any], output: Output) -> NDArray[np.float64]:
    """The numbers that torch gave for a sample."""
    return np.asarray(sample[output.key], np.float64)


def check(
    samples: Sequence[Mapping[str, Any]],
    found: Iterable[NDArray[np.float64]],
    output: Output,
    way: str,
) -> None:
    """Compare answers with the expected ones.

    Args:
        found: a row of numbers a sample.
        output: of the bundle, which says how far rows are apart.
        way: how they were found, for the message ("ONNX", "pyfunc").

    Raises:
        IntegrityError: one differs by more than 1e-4; it names the sample.
    """
    for sample, answer in zip(samples, found, strict=True):
        difference = output.gap(expected(sample, output), answer)
        if not difference <= TOLERANCE:
            raise IntegrityError(
                f"{way} and torch disagree by {difference:.2g} on a golden sample (allowed: {TOLERANCE:g})",
                where=f"sample {sample['id']} ({FOLDER / sample['file']}, {output.noun} {sample['target']})",
                fix="build the bundle again (`convoy stage package`); if it stays, report the model's layers",
            )
