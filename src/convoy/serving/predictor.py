"""Predict with a bundle: onnxruntime, numpy and the bundle's own preprocessing; no torch, no project.

This file travels: the bundle holds a copy in `code/`, next to `pixels.py`, in which the one import of the
package below is rewritten (`bundle.build.portable_source`). There it is also a program:

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

if __name__ == "__main__":
    sys.dont_write_bytecode = True  # a bundle is named by its content, and stays as it was registered

from convoy.data import pixels

FORMAT = 1  # of bundle.json
GRID = 12  # positions of the occluding patch along a side, at most
Content = bytes | Path | NDArray[Any]  # an encoded image, its file, or pixels (H, W) or (H, W, C)


class BadBundle(ValueError):
    """The folder is not a bundle that this predictor can read."""


class Predictor:
    """A bundle, ready to predict. Its methods may be called from several threads at once.

    Args:
        bundle: the folder that holds bundle.json and model.onnx; it is not needed afterwards.
        threads: of onnxruntime. One thread gives the same bits on every machine of a kind.

    Raises:
        BadBundle: a file is missing, of another format, or the two contradict each other.
    """

    def __init__(self, bundle: Path, *, threads: int = 1) -> None:
        self.info = _read_info(bundle)
        self.classes: list[str] = list(self.info["classes"])
        self.spec: dict[str, Any] = dict(self.info["preprocessing"]["spec"])
        self.temperature = _temperature(bundle, self.info)
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

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, H, W, C) uint8 -> calibrated probabilities (N, classes): softmax(logits / temperature)."""
        return softmax(self.logits(images), self.temperature)

    def probabilities(
        self, contents: Iterable[Content], *, batch_size: int = 64
    ) -> Iterator[NDArray[np.float64]]:
        """Batches (n, classes) of any number of pictures, in order; only one batch is held in memory."""
        pending = iter(contents)
        while batch := [self.prepare(content) for content in islice(pending, batch_size)]:
            yield self.classify(np.stack(batch))

    def predict(self, contents: Sequence[Content], *, batch_size: int = 64) -> list[dict[str, Any]]:
        """[{"prediction": class, "probabilities": {class: p}}], one a picture, in order."""
        return [
            self.answer(row) for rows in self.probabilities(contents, batch_size=batch_size) for row in rows
        ]

    def heatmap(self, content: Content, *, batch_size: int = 32) -> NDArray[np.float64]:
        """Where the picture decides: occlusion sensitivity (Zeiler and Fergus 2014).

        A patch in the picture's mean colour, a fifth as long as its sides, goes over a grid of at most
        12 x 12 places. A pixel's value is what the predicted class loses, as the mean over the patches that
        cover it: in log-odds, for a probability near 1 shows no loss.

        Returns:
            (height, width) of the prepared picture, 0 to 1: the largest loss is 1; all 0 where none matters.

        Raises:
            as for `prepare`.
        """
        image = self.prepare(content)
        rows, columns = (_windows(length) for length in image.shape[:2])
        places = [(top, left) for top in rows for left in columns]
        whole = self.logits(image[None])
        label = int(whole.argmax())
        colour = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
        heat, covered = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
        for first in range(0, len(places), batch_size):
            some = places[first : first + batch_size]
            occluded = np.repeat(image[None], len(some), axis=0)
            for picture, (top, left) in zip(occluded, some, strict=True):
                picture[top, left] = colour
            lost = _log_odds(whole, label) - _log_odds(self.logits(occluded), label)
            for loss, place in zip(lost, some, strict=True):
                heat[place] += loss
                covered[place] += 1
        heat = np.maximum(heat / covered, 0)
        noise = 1e-5  # of fp32
        return heat / heat.max() if heat.max() > noise else np.zeros_like(heat)

    def answer(self, probabilities: NDArray[np.float64]) -> dict[str, Any]:
        """One row of `probabilities` in words."""
        return {
            "prediction": self.classes[int(probabilities.argmax())],
            "probabilities": dict(zip(self.classes, probabilities.tolist(), strict=True)),
        }


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    shifted = (logits.astype(np.float64) - logits.max(axis=1, keepdims=True)) / temperature
    exponentials = np.exp(shifted)
    total: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return total


def _log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """(N, classes) -> (N,): the label's log-odds; with one class, its logit."""
    values = logits.astype(np.float64)
    odds: NDArray[np.float64] = values[:, label]
    if values.shape[1] > 1:
        odds = odds - np.logaddexp.reduce(np.delete(values, label, axis=1), axis=1)
    return odds


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


def _temperature(bundle: Path, info: Mapping[str, Any]) -> float:
    """1 for bundles that were made without calibration."""
    value = (info.get("calibration") or {}).get("temperature", 1.0)
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise BadBundle(f"{bundle / 'bundle.json'}: temperature {value!r} is no positive number")
    return float(value)


def _windows(length: int) -> list[slice]:
    """Up to GRID places of a patch along one side; together they cover it all."""
    patch = max(1, -(-length // 5))
    starts = np.unique(np.linspace(0, length - patch, min(GRID, length)).round().astype(int))
    return [slice(start, start + patch) for start in starts.tolist()]


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others decode on these cores
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
