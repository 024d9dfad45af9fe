"""Stage `train`: the best weights, how they came about, and the journal of every epoch."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

import convoy
from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.config.objective import ObjectiveConfig
from convoy.config.train import TrainConfig
from convoy.data.augment import Policy
from convoy.data.loader import Augment
from convoy.data.store import Store
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
from convoy.training import network, precision
from convoy.training.fit import Fitted, fit, pick_device
from convoy.training.journal import Event, Journal, dump, without_times
from convoy.training.objectives._base import Targets

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
        ConfigError: the model does not fit the images.
        IntegrityError: a loss is not finite.
        ResourceError: a GPU is asked for and there is none.
    """
    preprocessor = read_json(prepared / "preprocessor.json")
    policy, extra = _augmentation(augmented)
    stores = [Store.open(prepared / "train", verify=True), *extra]
    val = Store.open(prepared / "val", verify=True)
    targets = Targets(preprocessor["classes"], np.concatenate([store.target for store in stores]))
    device = pick_device(config.device)
    torch.set_num_threads(_threads(config))

    def build() -> network.Network:
        return network.build(model, preprocessor)

    spec = preprocessor["spec"]
    shape = (config.batch_size, spec["height"], spec["width"], spec["channels"])
    chosen = (
        precision.choose(build, shape, device, state / "cache" / "precision")
        if config.precision == "auto"
        else precision.Precision(config.precision)
    )
    facts: dict[str, Any] = {
        "model": model.model_dump(),
        "objective": objective.model_dump(),
        "train": config.model_dump(),
        "augment": read_json(augmented / "policy.json"),
        "data_digest": _data_digest([*stores, val], preprocessor),
        "code_digest": _code_digest(),
        "device": device.type,
        "precision": chosen.name,
        "memory_format": str(chosen.memory_format).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    key = sha256_bytes(dump_json(facts).encode())[:16]
    journal = Journal(state / "runs" / key / "journal.jsonl")
    checkpoints = state / "checkpoints" / key
    _start(journal, key, facts, preprocessor, resumable=checkpoints.is_dir())
    watch(journal.path)
    try:
        fitted = fit(
            build,
            plugins.load("objective", objective.name).build(objective, targets),
            config,
            train=stores,
            val=val,
            augment=policy,
            device=device,
            precision=chosen,
            folder=checkpoints,
            journal=journal,
        )
    except BaseException as error:
        killed = isinstance(error, SystemExit | KeyboardInterrupt)
        journal.append("end", status="KILLED" if killed else "FAILED", reason=str(error).split("\n")[0])
        raise
    _write(out, fitted, {**facts, "key": key, "seed": config.seed}, preprocessor, journal)
    journal.append("end", status="FINISHED", reason="")
    _prune(state / "checkpoints", keep=key)


def _augmentation(folder: Path) -> tuple[Augment | None, list[Store]]:
    policy = read_json(folder / "policy.json")
    extra = [Store.open(folder / "train")] if policy["offline_copies"] else []
    return Policy(policy["transforms"]) if policy["online"] and policy["transforms"] else None, extra


def _data_digest(stores: list[Store], preprocessor: dict[str, Any]) -> str:
    digests = [store.digest for store in stores]
    return sha256_bytes(dump_json({"stores": digests, "preprocessor": preprocessor}).encode())


def _threads(config: TrainConfig) -> int:
    return len(os.sched_getaffinity(0)) if config.threads == "auto" else config.threads


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
    if resumable and journal.events():
        return
    journal.keep([])
    journal.append(
        "start",
        key=key,
        name=_name(facts, key),
        params=_params(facts, preprocessor),
        datasets=[{"name": "prepared", "digest": facts["data_digest"]}],
    )


def _name(facts: dict[str, Any], key: str) -> str:
    optimizer = facts["train"]["optimizer"]
    return f"{facts['model']['name']}-{optimizer['name']}-lr{optimizer['lr']:g}-{key[:4]}"


def _params(facts: dict[str, Any], preprocessor: dict[str, Any]) -> dict[str, Any]:
    """The settings worth comparing between runs, flat and short."""
    settings = facts["train"]
    spec = preprocessor["spec"]
    stopping = settings["early_stopping"]
    transforms = (
        [step["name"] for step in facts["augment"]["transforms"]] if facts["augment"]["online"] else []
    )
    return {
        **{f"model.{name}": value for name, value in facts["model"].items()},
        **{f"optimizer.{name}": value for name, value in settings["optimizer"].items()},
        **{f"schedule.{name}": value for name, value in settings["schedule"].items()},
        "early_stopping": f"{stopping['monitor']}, patience {stopping['patience']}" if stopping else "off",
        "epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "seed": settings["seed"],
        "loss": facts["objective"]["loss"]["name"],
        "label_smoothing": facts["objective"]["label_smoothing"],
        "augment.online": " ".join(transforms) or "none",
        "augment.offline_copies": facts["augment"]["offline_copies"],
        "image": f"{spec['height']}×{spec['width']}×{spec['channels']} {spec['resize']}",
        "classes": len(preprocessor["classes"]),
        "device": facts["device"],
        "precision": facts["precision"],
        "threads": facts["threads"],
    }


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
