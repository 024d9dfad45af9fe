import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl

from convoy.config.model import CnnConfig, ConvBlock, ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import SgdConfig
from convoy.config.schedule import CosineConfig
from convoy.config.stopping import EarlyStoppingConfig
from convoy.config.train import TrainConfig
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import read_json, sha256_tree
from convoy.stages.train import train
from convoy.training.journal import read
from tests.toys import write_policy, write_prepared

# dropout and augmentation draw random numbers, batch norm and momentum keep state: all of it must resume
MODEL = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4)], dropout=0.3)
FLIP = [{"name": "HorizontalFlip", "p": 0.5}]


def config(**changes: Any) -> TrainConfig:
    section: dict[str, Any] = {
        "seed": 0,
        "epochs": 4,
        "batch_size": 16,
        "optimizer": SgdConfig(name="sgd", lr=0.05, momentum=0.9),
        "schedule": CosineConfig(name="cosine", warmup_epochs=1.0),
        "early_stopping": None,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
    }
    return TrainConfig(**{**section, **changes})


Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Train in a folder of that name; returns it. The data are the same for every name."""

    def go(name: str, model: ModelConfig = MODEL, **changes: Any) -> Path:
        place = tmp_path / name
        if not place.exists():
            write_prepared(place / "prepared")
            write_policy(place / "augmented", FLIP)
        train(
            place / "prepared", place / "augmented", model, ClassificationConfig(name="classification"),
            config(**changes), state=place / "state", out=place / "out",
        )  # fmt: skip
        return place

    return go


class Killed(BaseException):
    """Stands for a signal."""


def kill_after(monkeypatch: pytest.MonkeyPatch, epoch: int, hook: str) -> None:
    """Make the learner die in `hook` of that epoch."""
    from convoy.training.learner import Learner

    original = getattr(Learner, hook)

    def dying(self: pl.LightningModule, *args: Any) -> Any:
        if self.current_epoch == epoch:
            raise Killed
        return original(self, *args)

    monkeypatch.setattr(Learner, hook, dying)


def test_a_training_learns_and_writes_all_that_it_owes(run: Run) -> None:
    out = run("a", epochs=8) / "out"
    history = pd.read_csv(out / "history.csv")
    assert list(history["epoch"]) == list(range(1, 9))
    assert history["val_accuracy"].max() > 0.9
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    record = read_json(out / "training.json")
    assert record["epochs_run"] == 8
    assert record["best_epoch"] == int(history["val_loss"].idxmin())
    assert sorted(p.name for p in out.iterdir()) == [
        "history.csv", "journal.jsonl", "model.safetensors", "training.json",
    ]  # fmt: skip


def test_equal_trainings_end_in_equal_bytes(run: Run) -> None:
    assert sha256_tree(run("a") / "out") == sha256_tree(run("b") / "out")


def test_compiled_bytecode_is_no_part_of_what_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import convoy
    from convoy.stages.train import _code_digest

    for part in ("data", "models", "training"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "code.py").write_text("x = 1")
    monkeypatch.setattr(convoy, "__file__", str(tmp_path / "__init__.py"))
    before = _code_digest()
    (tmp_path / "models" / "__pycache__").mkdir()
    (tmp_path / "models" / "__pycache__" / "code.cpython-311.pyc").write_bytes(b"1")
    assert _code_digest() == before
    (tmp_path / "models" / "code.py").write_text("x = 2")
    assert _code_digest() != before


def test_what_augment_mixes_is_mixed_in_training_and_told_in_the_runs_parameters(
    run: Run, tmp_path: Path
) -> None:
    plain = run("plain")
    write_prepared(tmp_path / "mixed" / "prepared")
    write_policy(tmp_path / "mixed" / "augmented", FLIP, mixup={"alpha": 0.4, "p": 1.0}, cutmix=None)
    mixed = run("mixed")
    weights = [(place / "out" / "model.safetensors").read_bytes() for place in (plain, mixed)]
    assert weights[0] != weights[1]
    starts = [next(read(place / "out" / "journal.jsonl")) for place in (plain, mixed)]
    told = [start["params"]["augment.mixing"] for start in starts]
    assert told == ["none", "mixup(alpha=0.4, p=1)"]


def test_another_seed_ends_in_other_weights(run: Run) -> None:
    weights = [(run(n, seed=s) / "out" / "model.safetensors").read_bytes() for n, s in (("a", 0), ("b", 1))]
    assert weights[0] != weights[1]


@pytest.mark.parametrize("hook", ["training_step", "on_validation_epoch_end"])
def test_a_killed_and_resumed_training_ends_in_the_same_bytes(
    run: Run, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sha256_tree(run("whole") / "out")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(patch, 2, hook)
        run("killed")
    assert sha256_tree(run("killed") / "out") == whole


def test_a_resumed_training_does_not_repeat_whole_epochs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(patch, 2, "training_step")
        run("killed")
    kill_after(monkeypatch, 0, "on_train_epoch_start")  # would be called if it began anew
    place = run("killed")
    [live] = (place / "state" / "runs").glob("*/journal.jsonl")
    assert [event.get("step") for event in read(live) if event["event"] == "metrics"] == [0, 1, 2, 3]
    assert [event["event"] for event in read(live)][-1] == "end"


def test_early_stopping_stops_and_a_second_run_adds_nothing(run: Run) -> None:
    stop = EarlyStoppingConfig(monitor="val_loss", patience=1, min_delta=100.0)
    first = sha256_tree(run("a", early_stopping=stop) / "out")
    again = run("a", early_stopping=stop) / "out"
    assert read_json(again / "training.json")["epochs_run"] == 2
    assert sha256_tree(again) == first


def test_the_outputs_tell_no_time_and_no_place(run: Run, tmp_path: Path) -> None:
    out = run("a") / "out"
    for name in ("training.json", "journal.jsonl", "history.csv"):
        text = (out / name).read_text()
        assert str(tmp_path) not in text
        assert "epoch_seconds" not in text
        assert not re.search(r'"t":', text)


def test_a_loss_that_is_not_finite_stops_the_training(run: Run, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="the loss is not finite") as caught:
        run("a", optimizer=SgdConfig(name="sgd", lr=1e38))
    assert caught.value.where == "epoch 1, batch 2 of 4, step 2"
    [live] = (tmp_path / "a" / "state" / "runs").glob("*/journal.jsonl")
    assert list(read(live))[-1]["status"] == "FAILED"
    assert not (tmp_path / "a" / "out").exists()


def test_a_model_that_does_not_fit_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="block 3 pools"):
        run("a", CnnConfig(name="cnn", blocks=[ConvBlock(channels=2)] * 4))


def test_a_flipped_byte_in_the_data_is_noticed(run: Run) -> None:
    place = run("a")
    target = place / "prepared" / "train" / "images.npy"
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    with pytest.raises(IntegrityError, match="not those that were written"):
        run("a")


def test_a_gpu_that_is_not_there_is_a_resource_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ResourceError, match="no GPU"):
        run("a", device="gpu")


def test_the_live_journal_tells_what_a_tracker_needs(run: Run) -> None:
    place = run("a")
    [live] = (place / "state" / "runs").glob("*/journal.jsonl")
    start = next(iter(read(live)))
    assert start["params"]["optimizer.lr"] == 0.05
    assert start["params"]["model.name"] == "cnn"
    assert start["name"].startswith("cnn-sgd-lr0.05-")
    json.dumps(start)


def test_batches_of_one_picture_are_refused_where_batch_normalisation_could_not_learn(
    tmp_path: Path,
) -> None:
    write_prepared(tmp_path / "prepared")
    write_policy(tmp_path / "augmented")
    halving = [ConvBlock(channels=2)] * 3  # 12 pixels to 1
    deep = CnnConfig(name="cnn", blocks=[*halving, ConvBlock(channels=2, pool="none")])

    def run(model: ModelConfig, batch_size: int) -> None:
        section = config(batch_size=batch_size)
        train(
            tmp_path / "prepared", tmp_path / "augmented", model, ClassificationConfig(name="classification"),
            section, state=tmp_path / "state", out=tmp_path / "out",
        )  # fmt: skip

    run(MODEL, 1)  # a map of several places gives it a spread
    run(deep, 9)  # 64 = 7 × 9 + 1: the last one goes into the batch before
    with pytest.raises(ConfigError, match="leave a process a single one"):
        run(deep, 1)
