"""What is imported for all, in which order, and for how long it holds."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import convoy
from convoy import plugins
from convoy.layout import PARAMS

if TYPE_CHECKING:
    from convoy.config.schema import Config

DVC = (
    "dvc.analytics", "dvc.cli.parser", "dvc.data_cloud", "dvc.lock", "dvc.repo.open_repo", "dvc.repo.stage",
    "dvc.repo.reproduce", "dvc.rwlock", "dvc.scm", "dvc.stage.run", "dvc.utils.strictyaml", "ruamel.yaml",
    "dvc_data.hashfile.status", "dulwich.client", "dulwich.repo", "psutil",
)  # fmt: skip
# In the order of the stages that need them; big ones by themselves, as requests wait for an import's end. Not
# convoy.stages.package: ONNX Runtime begins a thread as it is imported, and a fork would be without it.
STAGES = (
    "convoy.cli.stage", "filelock", "convoy.pipeline.code", "convoy.pipeline.lease", "convoy.cli.watch",
    "numpy", "pandas", "pyarrow.parquet", "convoy.stages.ingest", "convoy.stages.split",
    "convoy.stages.prepare", "sklearn.linear_model", "cleanlab.filter", "convoy.stages.validate",
    "convoy.data.labels.audit", "convoy.stages.augment", "torch", "torchmetrics", "pytorch_lightning",
    "convoy.stages.train", "convoy.pipeline.gpus", "matplotlib.pyplot", "convoy.stages.evaluate",
    "convoy.evaluation.report", "mlflow", "convoy.registry.tracking", "captum.attr",
    "mlflow.store.tracking.sqlalchemy_store", "onnx", "onnxscript", "torch.onnx",
    "convoy.bundle.onnx_export",
)  # fmt: skip
# After these, the parts that the project's modality, objective and model have in them.
_PARTS = {
    "convoy.stages.ingest": ("source",),
    "convoy.stages.prepare": ("preparing", "targets"),
    "convoy.data.labels.audit": ("checking", "data_view"),
    "convoy.stages.augment": ("augmenting",),
    "convoy.stages.train": ("batching", "entry", "objective", "model"),
    "convoy.evaluation.report": ("view", "evaluation"),
    "convoy.bundle.onnx_export": ("looking", "describing"),
}


# What only convoy and DVC read, when they need it; anything else may have been read by an import.
_READ_LATER = ("CONVOY_", "DVC_")
_PACKAGES = ("site-packages", "dist-packages")


def steps(stages: bool) -> Iterator[Callable[[], Any]]:
    """Imports, one after the other: what DVC needs, and what the stages do, if `stages`."""
    for name in (*DVC, *(STAGES if stages else ())):
        yield partial(importlib.import_module, name)
        for kind in _PARTS.get(name, ()):
            yield partial(_import_part, kind)


def _import_part(kind: str) -> None:
    config = _config()
    if kind in plugins.OF_OBJECTIVES:
        name: str = config.objective.name
    elif kind in ("source", "model"):
        name = config.data.source if kind == "source" else config.model.name
    else:
        name = config.data.modality
    plugins.load(kind, name)


@cache
def _config() -> "Config":
    from convoy.config.load import load

    return load(PARAMS)


@dataclass(frozen=True)
class Begun:
    """What this process was begun with; what it has imported holds as long as that does."""

    environment: Mapping[str, str]
    files: Mapping[str, tuple[int, ...]]

    @classmethod
    def now(cls) -> "Begun":
        code = [str(path) for path in Path(convoy.__file__).parent.rglob("*.py")]
        packages = [path for path in sys.path if Path(path).name in _PACKAGES]  # a package is a folder there
        return cls(dict(os.environ), {path: _stamp(path) for path in (*code, *packages)})

    def differs(self, environment: Mapping[str, str]) -> bool:
        """Whether a process that begins now, with this environment, might import anything else."""
        names = self.environment.keys() | environment.keys()
        others = [name for name in names if self.environment.get(name) != environment.get(name)]
        if any(name != "PATH" and not name.startswith(_READ_LATER) for name in others):
            return True
        return any(_stamp(path) != stamp for path, stamp in self.files.items())


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
