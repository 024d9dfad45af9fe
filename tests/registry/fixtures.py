"""A toy project with real artifacts: pictures, splits, two trained networks, their bundles, MLflow on SQLite.

`workshop` makes the artifacts once a session; `project` gives each test its own copy under git, with a
migrated empty database.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from convoy import digests, environment, io, layout
from convoy.config.load import load
from convoy.config.model import LeNet5Config
from convoy.config.schema import Config
from convoy.data import manifest, store
from convoy.environment import default_tracking_uri
from convoy.errors import ConvoyError
from convoy.registry import client as connection
from convoy.stages.package import package
from convoy.training import journal, network
from tests import toys

SIZES = {"train": 40, "val": 8, "test": 24}
MODELS = ("good", "poor")  # of 24 test samples good has all right, poor 18

PARAMS = """
data: {source: image_folder, path: data/raw/toy}
validate: {max_bad_fraction: 0.0, max_pixels: 1000000, min_per_class: 3}
split: {strategy: auto, val: 0.1, test: 0.2, seed: 0}
prepare: {height: 12, width: 12, channels: 1, resize: stretch}
augment: {online: false, offline_copies: 0, seed: 0, transforms: []}
model: {name: lenet5}
objective: {name: classification, label_smoothing: 0.0}
train:
  seed: 0
  epochs: 2
  batch_size: 8
  optimizer: {name: adamw, lr: 0.01, weight_decay: 0.0}
  schedule: {name: fixed}
  early_stopping: null
  device: cpu
  precision: fp32
  threads: 1
evaluate:
  {resamples: 100, confidence: 0.95, mistakes: 5, calibration: temperature, baseline: hog_linear,
   robustness_samples: 8, tta: 0, seed: 0}
register:
  model: digits
  gate: {metric: accuracy, first: promote, minimum: 0.5, margin: 0.0, non_inferiority: 0.1,
         beat_baseline: false, max_ece: null, slice_margin: null, slice_samples: 10,
         max_latency_ms: null, max_latency_ratio: null, max_size_mb: 10.0}
tracking: {experiment: toy}
flow: {retries: 0, retry_delay_seconds: 0.0, stage_timeout_seconds: 60}
"""


@dataclass
class Project:
    """A project folder that is the current directory."""

    root: Path
    workshop: Path

    @property
    def config(self) -> Config:
        return load(self.root / layout.PARAMS)

    @property
    def client(self) -> Any:
        return connection.connect(self.root)

    def use(self, model: str) -> None:
        """Put the artifacts of one of MODELS in place, as its stages would."""
        shutil.rmtree(self.root / layout.ARTIFACTS, ignore_errors=True)
        shutil.copytree(self.workshop / model, self.root / layout.ARTIFACTS)
        shutil.copytree(self.workshop / "shared", self.root / layout.ARTIFACTS, dirs_exist_ok=True)

    def change(self, old: str, new: str) -> None:
        """Edit params.yaml."""
        text = (self.root / layout.PARAMS).read_text(encoding="utf-8")
        assert old in text
        (self.root / layout.PARAMS).write_text(text.replace(old, new), encoding="utf-8")

    def commit(self) -> None:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", "a change")


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=toy", "-c", "user.email=toy@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/ (raw), shared/ (split, prepare, augment) and, for each model, train/, evaluate/, bundle/."""
    return _workshop(tmp_path_factory.getbasetemp())


@functools.cache  # test modules of several folders take these fixtures; each is made once all the same
def _workshop(session: Path) -> Path:
    root = session / "workshop"
    rows = [row for split in SIZES for row in _write_pictures(root, split)]
    samples = pd.DataFrame(rows, columns=["id", "path", "target", "split"])
    preprocessor = _write_shared(root / "shared", samples)
    torch.manual_seed(0)
    good = _trained(network.build(LeNet5Config(name="lenet5"), preprocessor), root / "shared" / "prepare")
    for name in MODELS:
        _write_model(root, name, good if name == "good" else _spoilt(good, root), preprocessor)
    return root


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its schema and nothing in it."""
    return _empty_database(tmp_path_factory.getbasetemp())


@functools.cache
def _empty_database(session: Path) -> Path:
    root = session / "mlflow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", default_tracking_uri(root))
        connection.connect(root)
    found = connection.database_file(default_tracking_uri(root))
    assert found is not None
    return found


def track(root: Path) -> None:
    """What `dvc add` writes about the raw data."""
    digest = digests.md5_of(root / "data" / "raw" / "toy")[0]
    (root / "data" / "raw" / "toy.dvc").write_text(f"outs:\n- md5: {digest}\n  path: toy\n")


@pytest.fixture
def project(workshop: Path, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A committed project with the artifacts of the good model."""
    root = tmp_path / "project"
    shutil.copytree(workshop / "data", root / "data")
    track(root)
    (root / layout.PARAMS).write_text(PARAMS, encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / ".gitignore").write_text("/.convoy/\n/artifacts/\n/data/\n")
    git(root, "init", "-q")
    made = Project(root, workshop)
    made.commit()
    made.use("good")
    uri = default_tracking_uri(root)
    database = connection.database_file(uri)
    assert database is not None
    database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(root)
    return made


def _write_pictures(root: Path, split: str) -> list[tuple[str, str, str, str]]:
    folder = root / "data" / "raw" / "toy"
    rows = []
    seed = list(SIZES).index(split)
    for number, picture in enumerate(toys.images(SIZES[split], seed=seed)):
        target = toys.CLASSES[number % 2]
        path = folder / target / f"{split} {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        done, content = cv2.imencode(".png", picture)
        assert done
        path.write_bytes(content.tobytes())
        name = manifest.content_id(content.tobytes())
        rows.append((name, path.relative_to(folder).as_posix(), target, split))
    return rows


def _write_shared(folder: Path, samples: pd.DataFrame) -> dict[str, Any]:
    manifest.write(folder / "split", samples)
    preprocessor = toys.write_prepared(folder / "prepare", **SIZES)
    for split in SIZES:
        writer = store.create(folder / "prepare" / split, SIZES[split], (12, 12, 1))
        writer.images[:] = toys.images(SIZES[split], seed=list(SIZES).index(split))
        writer.target[:] = np.arange(SIZES[split]) % 2
        writer.id[:] = np.array(samples.loc[samples["split"] == split, "id"], dtype="S32")
        writer.finish()
    toys.write_policy(folder / "augment")
    return preprocessor


def _trained(model: network.Network, prepared: Path) -> network.Network:
    data = store.Store.open(prepared / "train")
    images, target = torch.tensor(data.images), torch.tensor(data.target)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), target).backward()
        optimizer.step()
    return model.eval()


def _spoilt(good: network.Network, root: Path) -> network.Network:
    """The same network with a shifted bias, so that half of one class is wrong."""
    test = store.Store.open(root / "shared" / "prepare" / "test")
    model = network.build(
        LeNet5Config(name="lenet5"), io.read_json(root / "shared/prepare/preprocessor.json")
    )
    model.load_state_dict(good.state_dict())
    with torch.inference_mode():
        logits = model(torch.tensor(test.images)).numpy()
    gap = np.sort((logits[:, 0] - logits[:, 1])[np.asarray(test.target) == 0])
    shift = float((gap[len(gap) // 2 - 1] + gap[len(gap) // 2]) / 2)
    with torch.no_grad():
        model.body[-1].bias[1] += shift
    return model.eval()


def _write_model(root: Path, name: str, model: network.Network, preprocessor: dict[str, Any]) -> None:
    train, evaluate = root / name / "train", root / name / "evaluate"
    train.mkdir(parents=True)
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, train / "model.safetensors"
    )
    training = {
        "key": f"key-of-{name}",
        **_sections(root),
        "data_digest": "d" * 64,
        "code_digest": "c" * 64,
        "seed": 0,
        "torch": torch.__version__,
        "threads": 1,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous_format",
        "parameters": 1000,
        "epochs_run": 2,
        "best_epoch": 1,
        "classes": toys.CLASSES,
    }
    io.write_json(train / "training.json", training)
    io.write_text(train / "journal.jsonl", journal.dump(journal_events(name)))
    io.write_text(train / "history.csv", "epoch,val_loss\n1,0.5\n2,0.4\n")
    _write_evaluation(root, evaluate, model)
    package(
        train, evaluate, root / "shared" / "prepare", root / "shared" / "split", root / name / "bundle",
        environment_lock=root / "none",
    )  # fmt: skip


def _sections(root: Path) -> dict[str, Any]:
    (root / layout.PARAMS).write_text(PARAMS, encoding="utf-8")
    config = load(root / layout.PARAMS)
    return {
        "model": config.model.model_dump(),
        "objective": config.objective.model_dump(),
        "train": config.train.model_dump(),
    }


def journal_events(name: str, epochs: int = 2) -> list[journal.Event]:
    """What the train stage leaves: no times, no end."""
    start = {
        "event": "start",
        "key": f"key-of-{name}",
        "name": f"lenet5-{name}",
        "params": {"model.name": "lenet5", "optimizer.lr": 0.01 if name == "good" else 0.02},
        "datasets": [{"name": "prepared", "digest": "d" * 64}],
    }
    values = [{"train_loss": 1.0 / (n + 1), "val_loss": 1.1 / (n + 1), "lr": 0.01} for n in range(epochs)]
    return [start, *({"event": "metrics", "step": n, "values": v} for n, v in enumerate(values))]


def _write_evaluation(root: Path, folder: Path, model: network.Network) -> None:
    test = store.Store.open(root / "shared" / "prepare" / "test")
    with torch.inference_mode():
        probabilities = torch.softmax(model(torch.tensor(test.images)), dim=1).numpy()
    right = (probabilities.argmax(axis=1) == test.target).mean()
    folder.mkdir(parents=True)
    _predictions(root, test, probabilities).to_parquet(folder / "predictions.parquet", index=False)
    figures = {"accuracy": float(right), "macro_f1": float(right), "log_loss": 0.25, "samples": len(test)}
    intervals = {"accuracy": [max(0.0, float(right) - 0.1), min(1.0, float(right) + 0.1)]}
    io.write_json(folder / "metrics.json", {"test": figures, "val": figures, "intervals": intervals})
    io.write_text(folder / "per_class.csv", "class,precision\ndown,1.0\n")


def _predictions(root: Path, test: store.Store, probabilities: np.ndarray) -> pd.DataFrame:
    """The test rows of the predictions table."""
    samples = manifest.read(root / "shared" / "split").set_index("id")
    ids = [value.decode("ascii") for value in test.id.tolist()]
    names = np.array(toys.CLASSES)
    return pd.DataFrame(
        {
            "id": ids,
            "split": "test",
            "path": samples.loc[ids, "path"].to_numpy(),
            "target": names[test.target],
            "prediction": names[probabilities.argmax(axis=1)],
            "confidence": probabilities.max(axis=1),
            "loss": -np.log(np.maximum(probabilities[np.arange(len(ids)), test.target], 1e-30)),
            **{f"p:{name}": probabilities[:, n] for n, name in enumerate(names)},
        }
    ).sort_values("id", ignore_index=True)


@dataclass
class Answer:
    """What a command left: its output, its error output, and the error that `main` would render."""

    out: str
    err: str
    error: BaseException | None


Command = Callable[..., Answer]


@pytest.fixture
def convoy(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command of the command line in this process; the environment is as before afterwards.

    Never in this repository, whose state a test would read and change: a test names the project it is in.
    """
    from convoy.cli.app import app

    for name, value in environment.variables(Path.cwd()).items():
        monkeypatch.setenv(name, os.environ.get(name, value))  # so that what commands set is taken back

    def run(*arguments: str) -> Answer:
        assert not (Path.cwd() / "src" / "convoy").is_dir(), "the test is in no project of its own"
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, ConvoyError | SystemExit):
            raise result.exception
        return Answer(result.stdout, result.stderr, result.exception)

    return run
