"""Freezing, gradual unfreezing, layer-wise rates, and weight decay's exceptions."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from convoy.config.finetune import FineTuneConfig
from convoy.config.model import CnnConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import AdamConfig, SgdConfig
from convoy.config.schedule import FixedConfig
from convoy.config.train import TrainConfig
from convoy.data.store import Store
from convoy.errors import ConfigError
from convoy.io import sha256_file
from convoy.stages.train import train
from convoy.training import finetune, network
from convoy.training.fit import fit
from convoy.training.groups import groups
from convoy.training.journal import Journal
from convoy.training.objectives._base import Targets
from convoy.training.objectives.classification import build as objective
from convoy.training.precision import Precision
from tests.toys import write_policy, write_prepared

# layers: conv with norm, conv with norm, residual unit, head
MODEL = CnnConfig.model_validate(
    {
        "name": "cnn",
        "blocks": [{"channels": 4, "repeat": 2}, {"type": "residual", "channels": 4}],
    }
)
SPEC = {
    "spec": {"height": 12, "width": 12, "channels": 1},
    "classes": ["a", "b"],
    "modality": "image",
    "mean": [0.4],
    "std": [0.2],
}
ADAMW = AdamConfig(name="adamw", lr=0.1, weight_decay=0.01)


def net() -> network.Network:
    torch.manual_seed(0)
    return network.build(MODEL, SPEC)


def config(**changes: Any) -> TrainConfig:
    section: dict[str, Any] = {
        "seed": 0, "epochs": 4, "batch_size": 16, "optimizer": SgdConfig(name="sgd", lr=0.05),
        "schedule": FixedConfig(name="fixed"), "early_stopping": None, "device": "cpu",
        "precision": "fp32", "threads": 1,
    }  # fmt: skip
    return TrainConfig(**{**section, **changes})


def tops(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names}


def test_layers_are_numbered_from_the_input_and_norms_belong_to_what_they_follow() -> None:
    depth = finetune.depths(net())
    assert {name: depth[name] for name in depth if name.endswith("weight") and "branch" not in name} == {
        "body.0.weight": 0, "body.1.weight": 0, "body.3.weight": 1, "body.4.weight": 1, "body.11.weight": 3,
    }  # fmt: skip
    assert {depth[name] for name in depth if "branch" in name} == {2}


def test_body_freezes_all_but_the_head_and_a_number_so_many_layers() -> None:
    assert finetune.frozen(net(), None, 0) == set()
    assert tops(finetune.frozen(net(), FineTuneConfig(freeze="body"), 0)) == {"0", "1", "3", "4", "7"}
    assert tops(finetune.frozen(net(), FineTuneConfig(freeze=1), 9)) == {"0", "1"}


def test_layers_thaw_from_the_top_one_by_one() -> None:
    section = FineTuneConfig(freeze="body", unfreeze_every_epochs=2)
    counts = [len({*finetune.depths(net()).values()} - learning(section, epoch)) for epoch in range(8)]
    assert counts == [3, 3, 2, 2, 1, 1, 0, 0]
    assert learning(section, 2) == {2, 3}


def learning(section: FineTuneConfig, epoch: int) -> set[int]:
    model = net()
    still = finetune.frozen(model, section, epoch)
    return {depth for name, depth in finetune.depths(model).items() if name not in still}


def test_patterns_freeze_by_name() -> None:
    assert finetune.frozen(net(), FineTuneConfig(freeze=["0.*", "7.branch.0.weight"]), 0) == {
        "body.0.weight", "body.7.branch.0.weight",
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"no parameter is called like 'stem\.\*'"):
        finetune.frozen(net(), FineTuneConfig(freeze=["stem.*"]), 0)


def test_to_freeze_everything_is_refused() -> None:
    for freeze in (99, ["*"]):
        with pytest.raises(ConfigError, match="all 14 parameters of the network are frozen"):
            finetune.frozen(net(), FineTuneConfig.model_validate({"freeze": freeze}), 0)


@pytest.mark.parametrize("freeze", ["none", 0, ["0.*"]])
def test_unfreezing_needs_layers_that_are_frozen(freeze: Any) -> None:
    with pytest.raises(ValidationError, match="unfreeze_every_epochs needs freeze: body or a number"):
        FineTuneConfig(freeze=freeze, unfreeze_every_epochs=1)


@pytest.mark.parametrize("freeze", ["head", -1, True, [], [3], 1.5])
def test_what_cannot_be_frozen_is_refused(freeze: Any) -> None:
    with pytest.raises(ValidationError, match="must be none, body, a number of layers"):
        FineTuneConfig(freeze=freeze)


def test_norms_and_biases_are_not_decayed_unless_wanted() -> None:
    model = net()
    decayed, spared = groups(model, ADAMW)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in spared["params"])
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.01, 0.0)
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))
    [all_of_them] = groups(model, ADAMW.model_copy(update={"decay_norms_and_biases": True}))
    assert all(a is b for a, b in zip(all_of_them["params"], model.parameters(), strict=True))


def test_what_a_network_wants_spared_is_not_decayed() -> None:
    model = net()
    model.body.no_weight_decay = lambda: {"11.weight"}
    spared = groups(model, ADAMW)[1]["params"]
    assert any(p is model.body[11].weight for p in spared)


def test_each_layer_learns_with_a_share_of_the_rate_above_it() -> None:
    model = net()
    found = groups(model, SgdConfig(name="sgd", lr=0.8), FineTuneConfig(layer_decay=0.5))
    rates = {id(p): group["lr"] for group in found for p in group["params"]}
    depth = finetune.depths(model)
    assert {depth[n]: rates[id(p)] for n, p in model.named_parameters()} == {0: 0.1, 1: 0.2, 2: 0.4, 3: 0.8}


def test_what_never_learns_is_no_business_of_the_optimiser() -> None:
    [head] = groups(net(), SgdConfig(name="sgd", lr=0.1), FineTuneConfig(freeze="body"))
    assert [tuple(p.shape) for p in head["params"]] == [(2, 4), (2,)]
    thawing = groups(net(), SgdConfig(name="sgd", lr=0.1), FineTuneConfig(freeze=3, unfreeze_every_epochs=1))
    assert sum(len(group["params"]) for group in thawing) == 14


def trained(
    place: Path, epochs: int, **section: Any
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Weights and statistics before and after a training."""
    write_prepared(place / "prepared")
    start = net().state_dict()
    fitted = fit(
        net,
        objective(ClassificationConfig(name="classification"), Targets(["a", "b"], np.array([0, 1]))),
        config(epochs=epochs, fine_tune=FineTuneConfig(**section)),
        train=[Store.open(place / "prepared" / "train")],
        val=Store.open(place / "prepared" / "val"),
        augment=None,
        device=torch.device("cpu"),
        precision=Precision("fp32"),
        folder=place / "checkpoints",
        journal=Journal(place / "journal.jsonl"),
    )
    return start, fitted.weights


def test_what_is_frozen_keeps_its_weights_and_statistics_in_a_training(tmp_path: Path) -> None:
    before, after = trained(tmp_path, 2, freeze=2)
    same = {name for name in before if torch.equal(before[name], after[name])}
    frozen = {name for name in before if name.startswith(("body.0.", "body.1.", "body.3.", "body.4."))}
    assert same == frozen | {"mean", "std"}


def test_what_thaws_learns_from_its_epoch_on(tmp_path: Path) -> None:
    _, one = trained(tmp_path / "a", 1, freeze="body", unfreeze_every_epochs=1)
    before, two = trained(tmp_path / "b", 2, freeze="body", unfreeze_every_epochs=1)
    assert torch.equal(one["body.7.branch.0.weight"], before["body.7.branch.0.weight"])
    assert not torch.equal(two["body.7.branch.0.weight"], before["body.7.branch.0.weight"])
    assert torch.equal(two["body.3.weight"], before["body.3.weight"])


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("hook", ["training_step", "on_validation_epoch_end"])
def test_a_thawing_training_that_is_killed_and_resumed_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    from convoy.training.learner import Learner

    section = config(
        fine_tune=FineTuneConfig(freeze="body", unfreeze_every_epochs=1, layer_decay=0.7), optimizer=ADAMW
    )

    def run(name: str) -> str:
        place = tmp_path / name
        if not place.exists():
            write_prepared(place / "prepared")
            write_policy(place / "augmented")
        train(
            place / "prepared", place / "augmented", MODEL,
            ClassificationConfig(name="classification"), section,
            state=place / "state", out=place / "out",
        )  # fmt: skip
        return sha256_file(place / "out" / "model.safetensors")

    original = getattr(Learner, hook)

    def dying(self: nn.Module, *args: Any) -> Any:
        if self.current_epoch == 2:
            raise Killed
        return original(self, *args)

    whole = run("whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Learner, hook, dying)
        run("killed")
    assert run("killed") == whole
    shutil.rmtree(tmp_path / "killed")
