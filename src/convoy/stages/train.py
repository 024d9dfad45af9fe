"""Stage `train`: the best weights, how they came about, and the journal of every epoch."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch.nn.modules.batchnorm import _BatchNorm

import convoy
from convoy import plugins
from convoy.config.engine import ENGINE
from convoy.config.model import ModelConfig, fitted
from convoy.config.objective import ObjectiveConfig
from convoy.config.train import TrainConfig
from convoy.data import policies
from convoy.data.loader import Loading, batches
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.errors import ConfigError
from convoy.io import (
    atomic_path,
    dump_json,
    fresh_dir,
    read_json,
    sha256_bytes,
    sha256_file,
    write_json,
    write_text,
)
from convoy.layout import AUGMENT, PREPARE, STATE, TRAIN
from convoy.training import classical, compiling, described, distributed, exactness, network, precision
from convoy.training.fit import Fitted, advance, pick_device, prepare, result
from convoy.training.journal import Event, Journal, dump, without_times
from convoy.training.objectives._base import Objective, Targets
from convoy.training.precision import Precision
from convoy.training.progress import say
from convoy.training.world import ALONE, World

if TYPE_CHECKING:
    from convoy.config.schema import Config

_KEPT_CHECKPOINTS = 3


def train(
    prepared: Path,
    augmented: Path,
    model: ModelConfig,
    objective: ObjectiveConfig,
    config: TrainConfig,
    *,
    state: Path,
    out: Path,
    watch: Callable[[Path], None] = lambda _journal: None,
) -> None:
    """Write model.safetensors, history.csv, journal.jsonl and, last, training.json into `out`.

    Args:
        prepared: output of `prepare`.
        augmented: output of `augment`.
        state: folder for checkpoints, live journals and the precision cache; may be emptied at any time.
        watch: told the live journal's path once that has begun.

    Raises:
        ConfigError: the model does not fit the data.
        IntegrityError: a loss is not finite.
        ResourceError: a GPU, fp16 or a compiler is asked for and not there; a rank was killed; or a
            training of these settings was interrupted in another environment.
        SystemExit: a signal came; a checkpoint was written.
    """
    job = _Job(prepared, augmented, model, objective, config)
    job.check()
    torch.set_num_threads(_threads(config))
    what = job.identity()
    checkpoints = state / "checkpoints" / sha256_bytes(dump_json(what).encode())[:16]
    device, chosen = torch.device("cpu"), classical.PRECISION
    if not job.once:
        device = pick_device(config.device, config.distributed)
        chosen = _choose(job, device, state / "cache" / "precision", exactness.recorded(checkpoints))
    where: dict[str, Any] = {
        "device": device.type,
        "precision": chosen.name,
        "memory_format": chosen.layout,
        "compile": chosen.compiled,
        "threads": torch.get_num_threads(),
        "ranks": 1 if job.once else config.distributed.ranks,
        "torch": torch.__version__,
    }
    key = sha256_bytes(dump_json({**what, **where}).encode())[:16]
    if config.distributed.nodes > 1 and (here := distributed.place(config.distributed)).node > 0:
        distributed.wait_for_first(here)  # which alone keeps the books
        job.launch(device, chosen, checkpoints, Journal(state / "runs" / key / "journal.jsonl"))
        return
    settled = exactness.settle(
        checkpoints,
        key,
        {
            **where,
            "processor": precision.processor(device),
            "deterministic": device.type == "cpu" or config.deterministic,
        },
        say,
    )
    facts = {**what, "train": config.model_dump(), **where}
    journal = Journal(state / "runs" / settled.key / "journal.jsonl")
    with journal.writing():
        _start(journal, settled.key, facts, job.preprocessor, resumable=settled.resumed)
        watch(journal.path)
        try:
            fitted = job.fit(device, chosen, checkpoints, journal)
        except BaseException as error:
            killed = isinstance(error, SystemExit | KeyboardInterrupt)
            with suppress(OSError):  # the disk may be what failed; the first error is the one to tell
                journal.append(
                    "end",
                    synced=True,
                    status="KILLED" if killed else "FAILED",
                    reason=str(error).split("\n")[0],
                )
            raise
        record = {**facts, "key": settled.key, "seed": config.seed, "inexact_resume": settled.inexact}
        _write(out, fitted, record, job.preprocessor, journal)
        journal.append("end", synced=True, status="FINISHED", reason="")
    _prune(state / "checkpoints", keep=checkpoints.name)


@dataclass(frozen=True)
class _Job:
    """What is trained on what, as each rank opens it for itself."""

    prepared: Path
    augmented: Path
    model: ModelConfig
    objective: ObjectiveConfig
    config: TrainConfig

    @property
    def once(self) -> bool:
        """Whether the model is fitted, and not trained in epochs."""
        return fitted(self.model)

    @cached_property
    def preprocessor(self) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.prepared / "preprocessor.json")
        return found

    @cached_property
    def policy(self) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.augmented / "policy.json")
        return found

    @cached_property
    def stores(self) -> list[Store]:
        """Those of training."""
        extra = [Store.open(self.augmented / "train")] if self.policy["offline_copies"] else []
        return [Store.open(self.prepared / "train"), *extra]

    @cached_property
    def val(self) -> Store:
        return Store.open(self.prepared / "val")

    @property
    def targets(self) -> Targets:
        """Those of training."""
        return Targets.of(self.preprocessor, self.stores)

    @property
    def modality(self) -> str:
        return str(self.preprocessor["modality"])

    @property
    def loading(self) -> Loading:
        found: Loading = plugins.load("batching", self.modality).loading(self.preprocessor)
        return found

    def shape(self, rows: int) -> tuple[int, ...]:
        """Of the first input of a training batch."""
        found: tuple[int, ...] = network.entry(self.preprocessor).shape(self.preprocessor, rows)
        return found

    @property
    def rank_shape(self) -> tuple[int, ...]:
        """Of a rank's training batch."""
        return self.shape(-(-self.config.batch_size // self.config.distributed.ranks))

    @property
    def steps(self) -> int:
        """Batches of the whole training."""
        samples = sum(len(store) for store in self.stores)
        return self.config.epochs * -(-samples // self.config.batch_size)

    def check(self) -> None:
        """Raises:
        FileNotFoundError: a stage before this one has not run.
        IntegrityError: the data are not those that were written.
        """
        assert self.preprocessor, self.policy  # read before the arrays
        for split in ("train", "val"):
            Store.open(self.prepared / split, verify=True)
        if not self.once and self._fewest_rows() == 1:
            self._learns_from_one()

    def _fewest_rows(self) -> int:
        """Of a rank, in any batch of an epoch."""
        size, ranks = self.config.batch_size, self.config.distributed.ranks
        samples = sum(len(store) for store in self.stores)
        last = samples - (batches(samples, size) - 1) * size
        return max(1, min(size, last) // ranks)

    def _learns_from_one(self) -> None:
        """Raises:
        ConfigError: batch normalisation finds one value where it needs a spread.
        """
        tried = self.blank().train()
        try:
            with torch.no_grad():
                tried(*tried.example(self.shape(1)))
        except ValueError as error:
            if "per channel" not in str(error):
                raise
            samples = sum(len(store) for store in self.stores)
            raise ConfigError(
                f"some batches of {samples} samples leave a process a single one, from which batch "
                "normalisation cannot learn",
                where="params.yaml: train.batch_size",
                fix=f"choose a batch size that leaves more than one of {samples} for the last batch",
            ) from None

    def identity(self) -> dict[str, Any]:
        """What decides the weights but for their last bits."""
        settings = self.config.model_dump()
        return {
            "model": self.model.model_dump(),
            "objective": self.objective.model_dump(),
            "train": {name: value for name, value in settings.items() if name not in ENGINE},
            "augment": self.policy,
            "data_digest": _data_digest([*self.stores, self.val], self.preprocessor),
            "code_digest": _code_digest(),
        }

    @property
    def trained_for(self) -> Objective:
        found: Objective = plugins.load("objective", self.objective.name).build(self.objective, self.targets)
        return found

    def build(self) -> network.Network:
        return network.build(self.model, self.preprocessor)

    def blank(self) -> network.Network:
        """A network to try and to measure, for which no pretrained weights are read."""
        return network.build(self.model, self.preprocessor, pretrained=False)

    def fit(self, device: torch.device, chosen: Precision, checkpoints: Path, journal: Journal) -> Fitted:
        """Train here, or in the ranks that are asked for; fit what is fitted."""
        if self.once:
            return classical.fit(
                self.build,
                self.model,
                self.trained_for,
                outputs=len(self.preprocessor["classes"]),
                seed=self.config.seed,
                train=self.stores,
                val=self.val,
                journal=journal,
                loading=self.loading,
            )
        if not prepare(checkpoints, journal).finished:
            if self.config.distributed.ranks == 1:
                self.advance(device, chosen, checkpoints, journal, ALONE)
            else:
                self.launch(device, chosen, checkpoints, journal)
        return result(checkpoints)

    def launch(self, device: torch.device, chosen: Precision, checkpoints: Path, journal: Journal) -> None:
        """Train in this node's ranks."""
        if device.type == "cpu" and any(isinstance(part, _BatchNorm) for part in self.blank().modules()):
            say(
                "batch normalisation takes its statistics from each process's rows; on GPUs it takes them all"
            )
        job = replace(self)  # without the opened data: each rank opens them itself
        part = partial(job.advance, device, chosen, checkpoints, journal)
        distributed.launch(part, self.config.distributed, torch.get_num_threads())

    def advance(
        self, device: torch.device, chosen: Precision, checkpoints: Path, journal: Journal, world: World
    ) -> None:
        online, transforms = self.policy["online"], self.policy["transforms"]
        advance(
            self.build,
            self.trained_for,
            self.config,
            train=self.stores,
            val=self.val,
            augment=policies.of(self.preprocessor, transforms) if online and transforms else None,
            mixing=Mixing.of(self.policy),
            loading=self.loading,
            device=device,
            precision=chosen,
            folder=checkpoints,
            journal=journal,
            world=world,
        )


def _choose(job: _Job, device: torch.device, cache: Path, earlier: dict[str, Any]) -> Precision:
    """As the settings say; where they leave it open, as the training that is taken up did; or as measured."""
    config = job.config
    same = bool(earlier) and all(
        earlier.get(name, value) == value
        for name, value in {
            "device": device.type, "processor": precision.processor(device), "torch": torch.__version__
        }.items()
    )  # fmt: skip
    name, layout = config.precision, config.memory_format
    if same and name == "auto" and layout in ("auto", earlier["memory_format"]):
        name, layout = earlier["precision"], earlier["memory_format"]
    chosen = precision.choose(job.blank, job.rank_shape, device, cache, name, layout)
    wanted = config.compile
    if wanted == "auto" and config.distributed.nodes > 1:
        wanted = "off"  # the nodes must not measure differently
    compiled, why = (
        (bool(earlier["compile"]), "as before")
        if same and wanted == "auto"
        else compiling.choose(wanted, job.blank, chosen, job.rank_shape, job.steps, device, cache)
    )
    speeds = ", ".join(f"{each} {speed:,.0f}" for each, speed in (chosen.img_per_s or {}).items())
    say(
        f"{device.type}, {chosen}{f' (samples/s measured: {speeds})' if speeds else ''}, "
        f"{'compiled' if compiled else 'not compiled'} ({why}), {torch.get_num_threads()} threads"
        + (f" in each of {config.distributed.ranks} processes" if config.distributed.ranks > 1 else "")
    )
    if device.type == "cuda":
        torch.cuda.empty_cache()  # of the measurements: the data want to live there
    return replace(chosen, compiled=compiled)


def _data_digest(stores: list[Store], preprocessor: dict[str, Any]) -> str:
    digests = [store.digest for store in stores]
    return sha256_bytes(dump_json({"stores": digests, "preprocessor": preprocessor}).encode())


def _threads(config: TrainConfig) -> int:
    """Of each process; together, where nothing is asked for, they take all cores."""
    if config.threads != "auto":
        return config.threads
    return max(1, len(os.sched_getaffinity(0)) // config.distributed.processes)


def _code_digest() -> str:
    """Digest of the code that shapes the weights, so that a checkpoint is never resumed by other code."""
    root = Path(convoy.__file__).parent
    sources = sorted(path for part in ("data", "models", "training") for path in (root / part).rglob("*.py"))
    lines = [f"{sha256_file(path)}  {path.relative_to(root).as_posix()}\n" for path in sources]
    return sha256_bytes("".join(lines).encode())


def _start(
    journal: Journal, key: str, facts: dict[str, Any], preprocessor: dict[str, Any], *, resumable: bool
) -> None:
    """Write the `start` event, unless a killed training of the same key is being taken up again."""
    if resumable and any(event["event"] == "start" for event in journal.events()):
        return
    journal.keep([])
    journal.append(
        "start",
        synced=True,
        key=key,
        name=described.name(facts, key),
        params=described.params(facts, preprocessor),
        datasets=[{"name": "prepared", "digest": facts["data_digest"]}],
    )


def _write(
    out: Path, fitted: Fitted, facts: dict[str, Any], preprocessor: dict[str, Any], journal: Journal
) -> None:
    fresh_dir(out)
    with atomic_path(out / "model.safetensors") as temporary:
        save_file(fitted.weights, temporary)
    events = without_times(e for e in journal.events() if e["event"] in ("start", "metrics"))
    write_text(out / "journal.jsonl", dump(events))
    write_text(out / "history.csv", _history(events).to_csv(index=False, lineterminator="\n"))
    record = {
        **facts,
        "classes": preprocessor["classes"],
        "parameters": sum(value.numel() for value in fitted.weights.values()),
        "epochs_run": fitted.epochs_run,
        "best_epoch": fitted.best_epoch,
        "ended_by": fitted.ended_by or "epochs",
    }
    write_json(out / "training.json", record)


def _history(events: list[Event]) -> pd.DataFrame:
    return pd.DataFrame([{"epoch": e["step"] + 1, **e["values"]} for e in events if e["event"] == "metrics"])


def _prune(folder: Path, keep: str) -> None:
    """Keep the checkpoints of the last few trainings, this one's among them."""
    others = sorted(
        (path for path in folder.iterdir() if path.name != keep),
        key=lambda p: p.stat().st_mtime,
        reverse=True,
    )
    for path in others[_KEPT_CHECKPOINTS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def main(config: "Config", watch: Callable[[Path], None] = lambda _journal: None) -> None:
    train(PREPARE, AUGMENT, config.model, config.objective, config.train, state=STATE, out=TRAIN, watch=watch)
