"""The bundle: everything that a model needs to predict and to be proven, in one folder.

    model.safetensors, model.onnx    the weights, and the network for onnxruntime
    bundle.json                      classes, preprocessing, parameters, metrics, provenance
    model_card.md                    the same for people
    samples.parquet                  id, split and target of every sample it learned from or was tested on
    reference.parquet                answers and looks of held-out samples, for `convoy monitor`
    golden/                          a few test pictures with the expected probabilities
    code/, requirements.txt          all that prediction needs besides Python
    SHA256SUMS                       the digest of every other file, as `sha256sum --check` reads it

Equal inputs give equal bytes, so the digest of the folder names the model. What depends on place and time
(commit, machine, clock) is kept outside: docs/decisions/0003-provenance-outside-the-bundle.md.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from convoy.bundle import card, contents, golden, onnx_export, reference
from convoy.data.store import Store
from convoy.io import atomic_path, dump_json, fresh_dir, sha256_bytes, write_bytes, write_text
from convoy.serving.predictor import FORMAT, Predictor, softmax

REQUIREMENTS = ("numpy", "onnxruntime", "opencv-python-headless", "pillow")

# What a training records about itself (training.json) divides into what was asked for and what came of it.
_PARAMS = ("model", "objective", "train", "augment")
_PROVENANCE = (
    "key", "data_digest", "code_digest", "seed", "torch", "threads",
    "device", "precision", "memory_format", "compile", "ranks", "inexact_resume",
    "parameters", "epochs_run", "best_epoch",
)  # fmt: skip


@dataclass(frozen=True)
class Sources:
    """What a bundle is made of.

    Args:
        weights: the train stage's model.safetensors.
        training: its training.json.
        preprocessor: the prepare stage's preprocessor.json.
        metrics: the evaluate stage's metrics.json.
        samples: id, split, target of every sample.
        environment_lock: sha256 of requirements.lock; None where there is none.
        calibration: the evaluate stage's calibration.json; None where it wrote none (then T = 1).
        slices: its slices.csv, the worst first; None where it wrote none.
        reference: of `bundle.reference`; None: nothing that is asked later can be compared with it.
    """

    weights: Path
    training: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    metrics: Mapping[str, Any]
    samples: pd.DataFrame
    environment_lock: str | None
    calibration: Mapping[str, Any] | None = None
    slices: pd.DataFrame | None = None
    reference: pd.DataFrame | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax."""
        return float((self.calibration or {}).get("temperature", 1.0))


def build(out: Path, network: nn.Module, sources: Sources, test: Store) -> None:
    """Write the bundle into `out`, bundle.json last, and check ONNX against torch on the golden samples.

    SHA256SUMS, which lists bundle.json too, is written before it.

    Args:
        network: uint8 (N, H, W, C) -> logits, with the trained weights.
        test: the prepared test split.

    Raises:
        IntegrityError: ONNX and torch disagree by more than 1e-4.
    """
    fresh_dir(out)
    spec = sources.preprocessor["spec"]
    classes = list(sources.preprocessor["classes"])
    shutil.copyfile(sources.weights, out / "model.safetensors")
    shape = (spec["height"], spec["width"], spec["channels"])
    write_bytes(out / "model.onnx", onnx_export.export(network, shape))
    _write_code(out / "code")
    write_text(out / "requirements.txt", "\n".join(requirements()) + "\n")
    _write_samples(sources.samples, out / "samples.parquet")
    if sources.reference is not None:
        reference.write(out, sources.reference)
    chosen = test[golden.choose(test.target)]
    golden.write(
        out,
        chosen["images"],
        [name.decode("ascii") for name in chosen["id"].tolist()],
        [classes[label] for label in chosen["target"]],
        torch_probabilities(network, chosen["images"], sources.temperature),
    )
    info = describe(sources)
    if sources.training["model"].get("weights"):  # they brought their own, which the network applies
        info["preprocessing"] |= {
            name: network.get_buffer(name).flatten().tolist() for name in ("mean", "std")
        }
    write_text(out / "model_card.md", card.render(info, sources.samples, sources.slices))
    described = dump_json(info).encode("utf-8")
    sums = {**contents.sha256s(out), "bundle.json": sha256_bytes(described)}
    write_text(out / contents.SUMS, contents.render_sums(sums))
    write_bytes(out / "bundle.json", described)
    try:
        check_parity(out)
    except BaseException:
        (out / "bundle.json").unlink()
        raise


def describe(sources: Sources) -> dict[str, Any]:
    """The content of bundle.json."""
    training = sources.training
    return {
        "version": FORMAT,
        "name": training["model"].get("architecture", training["model"]["name"]),
        "classes": list(sources.preprocessor["classes"]),
        "preprocessing": dict(sources.preprocessor),
        "input": {"name": onnx_export.INPUT, "dtype": "uint8", "layout": "NHWC"},
        "output": {"name": onnx_export.OUTPUT, "activation": "softmax"},
        "params": {name: training[name] for name in _PARAMS if name in training},
        "metrics": dict(sources.metrics),
        "calibration": {
            "method": str((sources.calibration or {}).get("method", "none")),
            "temperature": sources.temperature,
        },
        "thresholds": {
            name: float(row["threshold"])
            for name, row in (sources.calibration or {}).get("thresholds", {}).items()
        },
        "provenance": {
            **{name: training[name] for name in _PROVENANCE if name in training},
            "environment_lock": sources.environment_lock,
        },
    }


def check_parity(bundle: Path) -> None:
    """Predict the golden samples with ONNX, end to end.

    Raises:
        IntegrityError: an answer is not torch's; the sample is named.
    """
    samples = golden.read(bundle)
    predictor = Predictor(bundle)
    answers = predictor.predict([sample["content"] for sample in samples])
    golden.check(samples, [answer["probabilities"] for answer in answers], predictor.classes, "ONNX")


def torch_probabilities(
    network: nn.Module, images: NDArray[np.uint8], temperature: float = 1.0
) -> NDArray[np.float64]:
    """(N, H, W, C) -> (N, classes), in fp32 on the CPU: softmax(logits / temperature)."""
    with torch.inference_mode():
        logits = network.eval().cpu().float()(torch.from_numpy(np.ascontiguousarray(images)))
    return softmax(logits.numpy(), temperature)


def requirements() -> list[str]:
    """What prediction needs, pinned to what is installed here."""
    return [f"{name}=={metadata.version(name)}" for name in REQUIREMENTS]


def portable_source(source: str) -> str:
    """predictor.py as it lies in a bundle: the one import of the package becomes one of its neighbour."""
    inside, outside = "from convoy.data import pixels\n", "import pixels\n"
    assert source.count(inside) == 1
    return source.replace(inside, outside)


def _write_code(folder: Path) -> None:
    serving, data = resources.files("convoy.serving"), resources.files("convoy.data")
    write_text(folder / "predictor.py", portable_source(serving.joinpath("predictor.py").read_text("utf-8")))
    write_text(folder / "pyfunc.py", serving.joinpath("pyfunc.py").read_text("utf-8"))
    write_text(folder / "pixels.py", data.joinpath("pixels.py").read_text("utf-8"))


def _write_samples(samples: pd.DataFrame, path: Path) -> None:
    kept = samples[["id", "split", "target"]].sort_values(["split", "id"], ignore_index=True)
    with atomic_path(path) as temporary:
        kept.to_parquet(temporary, index=False)
