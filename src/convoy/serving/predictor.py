"""Predict with a bundle: onnxruntime, numpy and the bundle's own preprocessing; no torch, no project.

This file travels: the bundle holds a copy in `code/`, next to `inputs.py` (what the modality's samples are
like) and `outputs.py` (what the objective answers), in which the imports of the package below are rewritten
(`bundle.build.portable_source`). There it is also a program:

    python code/predictor.py picture.png …        prints one JSON object a sample
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

from convoy.serving import inputs, outputs

FORMAT = 1  # of bundle.json
# An encoded image, its file, or pixels (H, W) or (H, W, C); of other modalities a text
Content = bytes | str | Path | NDArray[Any]
Sample = NDArray[Any]  # prepared: of pictures (H, W, C) uint8


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
        try:
            self.input = inputs.of(self.info["preprocessing"])
            self.output = outputs.of(self.info)
        except ValueError as error:
            raise BadBundle(f"{bundle / 'bundle.json'}: {error}") from None
        self._session = _session(bundle / "model.onnx", threads)
        (given,) = self._session.get_inputs()
        wanted = self.input.shape
        if given.name != self.input.name or (list(given.shape[1:]) != wanted and None not in wanted):
            raise BadBundle(
                f"{bundle}: model.onnx takes {given.name} {given.shape}, bundle.json says {wanted}"
            )

    @property
    def spec(self) -> dict[str, Any]:
        """How samples are prepared."""
        spec: dict[str, Any] = self.input.spec
        return spec

    def prepare(self, content: Content) -> Sample:
        """One sample as the network takes it: of a picture (H, W, C) uint8.

        Raises:
            self.input.BAD: it is no sample, such as a picture that is cut short or claims too many pixels.
            OSError: the file cannot be read.
        """
        sample: Sample = self.input.prepare(content)
        return sample

    def batch(self, samples: Sequence[Sample]) -> NDArray[Any]:
        """Prepared samples together, as the network takes them: of pictures (N, H, W, C) uint8."""
        joined: NDArray[Any] = self.input.batch(samples)
        return joined

    def logits(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """What `batch` gives -> what the network gives, (N, outputs)."""
        if not len(batch):
            return np.zeros((0, len(self.classes)), np.float32)
        (found,) = self._session.run(["logits"], {self.input.name: np.ascontiguousarray(batch)})
        return np.asarray(found, np.float32)

    def decode(self, batch: NDArray[Any]) -> NDArray[np.float64]:
        """What `batch` gives -> rows (N, K) of numbers: of classes, the calibrated probabilities."""
        rows: NDArray[np.float64] = self.output.decode(self.logits(batch))
        return rows

    def rows(self, contents: Iterable[Content], *, batch_size: int = 64) -> Iterator[NDArray[np.float64]]:
        """Batches (n, K) of any number of samples, in order; only one batch is held in memory."""
        pending = iter(contents)
        while samples := [self.prepare(content) for content in islice(pending, batch_size)]:
            yield self.decode(self.batch(samples))

    def predict(self, contents: Sequence[Content], *, batch_size: int = 64) -> list[dict[str, Any]]:
        """One a sample, in order; of classes [{"prediction": class, "probabilities": {class: p}}]."""
        return [self.answer(row) for rows in self.rows(contents, batch_size=batch_size) for row in rows]

    def heatmap(self, content: Content, *, batch_size: int = 32) -> NDArray[np.float64]:
        """Where the sample decides, 0 to 1: occlusion sensitivity (Zeiler and Fergus 2014).

        Of models of classes: what the predicted one loses, in log-odds (a probability near 1 shows no loss),
        where a part of the sample is hidden; see the modality for the parts.

        Returns:
            Of a picture (height, width) of the prepared one. The largest loss is 1; all 0 where none matters.

        Raises:
            as for `prepare`.
        """
        sample = self.prepare(content)
        whole = self.logits(self.batch([sample]))
        label = int(whole.argmax())

        def loss(samples: Iterable[Sample]) -> NDArray[np.float64]:
            pending, parts = iter(samples), [np.zeros(0)]
            while some := list(islice(pending, batch_size)):
                parts.append(_log_odds(whole, label) - _log_odds(self.logits(self.batch(some)), label))
            return np.concatenate(parts)

        heat: NDArray[np.float64] = self.input.occluded(sample, loss)
        noise = 1e-5  # of fp32
        return heat / heat.max() if heat.max(initial=0) > noise else np.zeros_like(heat)

    def answer(self, row: NDArray[np.float64]) -> dict[str, Any]:
        """One row of `decode` in words."""
        answer: dict[str, Any] = self.output.answer(row)
        return answer


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
    parser = argparse.ArgumentParser(description="Predict files with the bundle that holds this one.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args(arguments)
    predictor = Predictor(options.bundle)
    failed = 0
    for file in options.files:
        try:
            (answer,) = predictor.predict([file])
        except (OSError, predictor.input.BAD) as error:
            failed += 1
            sys.stderr.write(f"{file}: {error}\n")
            continue
        sys.stdout.write(json.dumps({"path": str(file), **answer}, ensure_ascii=False) + "\n")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
