"""Predict with a bundle: onnxruntime, numpy and the bundle's own preprocessing; no torch, no project.

This file travels: the bundle holds a copy in `code/`, next to `pixels.py`, in which the one import of the
package below is rewritten (`registry.bundle.portable_source`). There it is also a program:

    python code/predictor.py picture.png …        prints one JSON object a picture
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from convoy.data import pixels

FORMAT = 1  # of bundle.json
Content = bytes | Path | NDArray[Any]  # an encoded image, its file, or pixels (H, W) or (H, W, C)


class BadBundle(ValueError):
    """The folder is not a bundle that this predictor can read."""


class Predictor:
    """A bundle, ready to predict.

    Args:
        bundle: the folder that holds bundle.json and model.onnx.
        threads: of onnxruntime. One thread gives the same bits on every machine of a kind.

    Raises:
        BadBundle: a file is missing, of another format, or the two contradict each other.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        self.info = _read_info(bundle)
        self.classes: list[str] = list(self.info["classes"])
        self.spec: dict[str, Any] = dict(self.info["preprocessing"]["spec"])
        self._session = _session(bundle / "model.onnx", threads)
        (given,) = self._session.get_inputs()
        wanted = [self.spec[name] for name in ("height", "width", "channels")]
        if given.name != "images" or list(given.shape[1:]) != wanted:
            raise BadBundle(
                f"{bundle}: model.onnx takes {given.name} {given.shape}, bundle.json says {wanted}"
            )

    def prepare(self, content: Content) -> NDArray[np.uint8]:
        """One sample as the network takes it, (H, W, C) uint8.

        Raises:
            pixels.UndecodableImage: it is no picture, is cut short, or claims too many pixels.
            OSError: the file cannot be read.
        """
        if isinstance(content, Path):
            content = content.read_bytes()
        prepared: NDArray[np.uint8] = pixels.prepare(content, self.spec)
        return prepared

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, C) uint8 -> (N, classes)."""
        if not len(images):
            return np.zeros((0, len(self.classes)), np.float32)
        (found,) = self._session.run(["logits"], {"images": np.ascontiguousarray(images)})
        return np.asarray(found, np.float32)

    def probabilities(
        self, contents: Iterable[Content], *, batch_size: int = 64
    ) -> Iterator[NDArray[np.float64]]:
        """Batches (n, classes) of any number of pictures, in order; only one batch is held in memory."""
        pending = iter(contents)
        while batch := [self.prepare(content) for content in islice(pending, batch_size)]:
            yield softmax(self.logits(np.stack(batch)))

    def predict(self, contents: Sequence[Content], *, batch_size: int = 64) -> list[dict[str, Any]]:
        """[{"prediction": class, "probabilities": {class: p}}], one a picture, in order."""
        return [
            self.answer(row) for rows in self.probabilities(contents, batch_size=batch_size) for row in rows
        ]

    def answer(self, probabilities: NDArray[np.float64]) -> dict[str, Any]:
        """One row of `probabilities` in words."""
        return {
            "prediction": self.classes[int(probabilities.argmax())],
            "probabilities": dict(zip(self.classes, probabilities.tolist(), strict=True)),
        }


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return total


def _read_info(bundle: Path) -> Mapping[str, Any]:
    try:
        info = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{bundle / 'bundle.json'}: {error}") from None
    if not isinstance(info, dict) or info.get("version") != FORMAT:
        raise BadBundle(f"{bundle / 'bundle.json'} is not of format {FORMAT}")
    missing = {"classes", "preprocessing"} - info.keys()
    if missing:
        raise BadBundle(f"{bundle / 'bundle.json'} lacks {', '.join(sorted(missing))}")
    return info


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    if not path.is_file():
        raise BadBundle(f"{path} is missing")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  # onnxruntime's own classes share no base
        raise BadBundle(f"{path} cannot be loaded: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Predict pictures with the bundle that holds this file.")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args(arguments)
    predictor = Predictor(options.bundle)
    failed = 0
    for picture in options.pictures:
        try:
            (answer,) = predictor.predict([picture])
        except (OSError, pixels.UndecodableImage) as error:
            failed += 1
            sys.stderr.write(f"{picture}: {error}\n")
            continue
        sys.stdout.write(json.dumps({"path": str(picture), **answer}, ensure_ascii=False) + "\n")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
