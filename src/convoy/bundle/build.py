"""The bundle: everything that a model needs to predict and to be proven, in one folder.

    model.safetensors, model.onnx    the weights, and the network for onnxruntime
    bundle.json                      classes, preprocessing, parameters, metrics, provenance
    model_card.md                    the same for people
    samples.parquet                  id, split and target of every sample it learned from or was tested on
    reference.parquet                answers and looks of held-out samples, for `convoy monitor`
    golden/                          a few test samples with the expected answers
    code/, requirements.txt          all that prediction needs besides Python
    SHA256SUMS                       the digest of every other file, as `sha256sum --check` reads it

Equal inputs give equal bytes, so the digest of the folder names the model. What depends on place and time
(commit, machine, clock) is kept outside: docs/decisions/0003-provenance-outside-the-bundle.md.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from convoy import plugins
from convoy.bundle import card, contents, golden, onnx_export, reference
from convoy.data.store import Store
from convoy.io import atomic_path, dump_json, fresh_dir, sha256_bytes, write_bytes, write_text
from convoy.serving import outputs
from convoy.serving.predictor import FORMAT, Predictor
from convoy.training.network import Network, entry

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
    def objective(self) -> str:
        """Its name."""
        return str(self.training["objective"]["name"])


def build(out: Path, network: Network, sources: Sources, test: Store) -> None:
    """Write the bundle into `out`, bundle.json last, and check ONNX against torch on the golden samples.

    SHA256SUMS, which lists bundle.json too, is written before it.

    Args:
        network: with the trained weights.
        test: the prepared test split.

    Raises:
        IntegrityError: ONNX and torch disagree by more than 1e-4.
    """
    fresh_dir(out)
    preprocessor = sources.preprocessor
    packing = plugins.load("packing", preprocessor["modality"])
    describing = plugins.load("describing", sources.objective)
    shutil.copyfile(sources.weights, out / "model.safetensors")
    write_bytes(out / "model.onnx", onnx_export.export(network, entry(preprocessor).shape(preprocessor, 2)))
    _write_code(out / "code", preprocessor["modality"], sources.objective, packing.CODE)
    write_text(out / "requirements.txt", "\n".join(requirements(packing.requirements(preprocessor))) + "\n")
    _write_samples(sources.samples, out / "samples.parquet")
    if sources.reference is not None:
        reference.write(out, sources.reference)
    info = describe(sources)
    rows, output = describing.golden(test), outputs.of(info)
    golden.write(
        out,
        packing.contents(test, rows),
        packing.ENDING,
        [name.decode("ascii") for name in test.id[rows].tolist()],
        describing.said(test, rows, preprocessor),
        output.decode(torch_outputs(network, packing.inputs(test, rows, preprocessor))),
        output.key,
    )
    info["input"] = packing.described(network)
    info["preprocessing"] |= packing.changed(network, sources.training["model"])
    told = card.render(info, sources.samples, packing.words(info), describing.CARD, sources.slices)
    write_text(out / "model_card.md", told)
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
    """The content of bundle.json, but for what the modality adds."""
    training = sources.training
    describing = plugins.load("describing", sources.objective)
    return {
        "version": FORMAT,
        "name": training["model"].get("architecture", training["model"]["name"]),
        "classes": list(sources.preprocessor["classes"]),
        "preprocessing": dict(sources.preprocessor),
        "output": {"name": onnx_export.OUTPUT, "activation": describing.ACTIVATION},
        "params": {name: training[name] for name in _PARAMS if name in training},
        "metrics": dict(sources.metrics),
        **describing.described(sources.calibration or {}),
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
    answers = predictor.rows([sample["content"] for sample in samples])
    golden.check(samples, (row for rows in answers for row in rows), predictor.output, "ONNX")


def torch_outputs(network: Network, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """N samples as the network takes them -> what it gives, (N, outputs), in fp32 on the CPU."""
    with torch.inference_mode():
        raw = network.eval().cpu().float()(torch.from_numpy(np.ascontiguousarray(inputs)))
    found: NDArray[np.float32] = raw.numpy()
    return found


def requirements(names: Sequence[str]) -> list[str]:
    """What prediction needs, pinned to what is installed here."""
    return [f"{name}=={metadata.version(name)}" for name in names]


def portable_source(source: str, imports: Mapping[str, str]) -> str:
    """A module as it lies in a bundle: its imports of the package become imports of its neighbours.

    Args:
        imports: line in the package -> line in the bundle; each stands there once.
    """
    for inside, outside in imports.items():
        assert source.count(f"{inside}\n") == 1, inside
        source = source.replace(f"{inside}\n", f"{outside}\n")
    return source


def _write_code(folder: Path, modality: str, objective: str, modules: Mapping[str, str]) -> None:
    """predictor.py and pyfunc.py, inputs.py and outputs.py (what serving knows of modality and objective),
    and the modules that the former needs.

    Args:
        modules: module of the package -> its name in the bundle.
    """
    imports = {
        f"from {module.rpartition('.')[0]} import {module.rpartition('.')[2]}": f"import {name}"
        for module, name in modules.items()
    }
    own = {
        f"convoy.serving.inputs.{modality}": ("inputs", imports),
        f"convoy.serving.outputs.{objective}": ("outputs", {}),
        "convoy.serving.predictor": (
            "predictor",
            {"from convoy.serving import inputs, outputs": "import inputs\nimport outputs"},
        ),
        "convoy.serving.pyfunc": ("pyfunc", {}),
        **{module: (name, {}) for module, name in modules.items()},
    }
    for module, (name, changed) in own.items():
        package, _, file = module.rpartition(".")
        source = resources.files(package).joinpath(f"{file}.py").read_text("utf-8")
        write_text(folder / f"{name}.py", portable_source(source, changed))


def _write_samples(samples: pd.DataFrame, path: Path) -> None:
    kept = samples[["id", "split", "target"]].sort_values(["split", "id"], ignore_index=True)
    with atomic_path(path) as temporary:
        kept.to_parquet(temporary, index=False)
