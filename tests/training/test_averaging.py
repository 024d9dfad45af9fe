"""EMA and SWA: the definition, batch statistics, what is kept, and exact resumption."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from convoy.config.model import CnnConfig, ConvBlock
from convoy.config.regularise import EmaConfig, SwaConfig
from convoy.config.schedule import CosineConfig
from convoy.data.store import Store
from convoy.training import averaging, checkpoints, network
from convoy.training.learner import Learner
from tests.toys import write_prepared
from tests.training.fitting import MODEL, history, run, weights

EMA = EmaConfig(name="ema", decay=0.9, warmup=False)
SWA = SwaConfig(name="swa", start_epoch=1, lr=0.03, anneal_epochs=1)


class Killed(BaseException):
    """Stands for a signal."""


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The live network after each batch of the training that follows."""
    seen: list[dict[str, Tensor]] = []

    def remember(self: Learner, outputs: Any, batch: Any, batch_idx: int) -> None:
        seen.append({name: value.detach().clone() for name, value in self.network.state_dict().items()})

    monkeypatch.setattr(Learner, "on_train_batch_end", remember)
    return seen


def averaged(folder: Path) -> dict[str, Tensor]:
    state = torch.load(checkpoints.last_path(folder / "checkpoints"), weights_only=True)["state_dict"]
    return {name.removeprefix("network."): value for name, value in state.items()}


def test_ema_is_its_recursion_over_all_steps(tmp_path: Path, states: list[dict[str, Tensor]]) -> None:
    run(tmp_path, averaging=EMA)
    expected = states[0]
    for state in states[1:]:
        expected = {n: 0.9 * expected[n] + 0.1 * v if v.is_floating_point() else v for n, v in state.items()}
    torch.testing.assert_close(averaged(tmp_path), expected)


def test_the_warm_up_of_ema_forgets_the_first_weights() -> None:
    ema = averaging.Ema(EmaConfig(name="ema", decay=0.999))
    assert [ema.decay(n) for n in (1, 10)] == [2 / 11, 11 / 20]
    assert ema.decay(100_000) == 0.999
    assert averaging.Ema(EMA).decay(1) == 0.9


def test_what_does_not_change_is_averaged_to_the_bit(tmp_path: Path) -> None:
    run(tmp_path, averaging=EmaConfig(name="ema", decay=0.97), epochs=6, batch_size=4)
    fresh = network.build(MODEL, write_prepared(tmp_path / "prepared"))
    assert torch.equal(averaged(tmp_path)["mean"], fresh.mean)
    assert torch.equal(averaged(tmp_path)["std"], fresh.std)


def test_swa_is_the_mean_of_the_epochs_ends(tmp_path: Path, states: list[dict[str, Tensor]]) -> None:
    run(tmp_path, averaging=SWA, epochs=4)
    ends = [states[4 * epoch + 3] for epoch in (1, 2, 3)]
    found = averaged(tmp_path)
    for name in dict(network.build(MODEL, write_prepared(tmp_path / "prepared")).named_parameters()):
        torch.testing.assert_close(found[name], sum(end[name] for end in ends) / 3)


def test_before_its_start_swa_is_the_latest_weights(tmp_path: Path, states: list[dict[str, Tensor]]) -> None:
    run(tmp_path, averaging=SwaConfig(name="swa", start_epoch=2, lr=0.03), epochs=3)
    torch.testing.assert_close(averaged(tmp_path), states[-1], rtol=0, atol=0)


def test_swa_has_the_batch_statistics_of_the_averaged_weights(tmp_path: Path) -> None:
    model = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4)])  # without dropout a pass is repeatable
    run(tmp_path, averaging=SWA, epochs=4, model=model)
    found = network.build(model, write_prepared(tmp_path / "prepared"))
    found.load_state_dict(averaged(tmp_path))
    images = torch.from_numpy(Store.open(tmp_path / "prepared" / "train").images.copy())
    [norm] = [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]
    seen: list[Tensor] = []
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        found.eval()(images)
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, seen[0].var((0, 2, 3)), rtol=2e-2, atol=1e-4)


@pytest.mark.parametrize("section", [EMA, SWA], ids=["ema", "swa"])
def test_what_is_validated_is_what_is_kept(tmp_path: Path, section: Any) -> None:
    fitted = run(tmp_path, averaging=section, epochs=4)
    kept = network.build(MODEL, write_prepared(tmp_path / "prepared"))
    kept.load_state_dict(fitted.weights)
    val = Store.open(tmp_path / "prepared" / "val")
    with torch.no_grad():
        logits = kept.eval()(torch.from_numpy(val.images.copy()))
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(val.target.copy()))
    assert history(tmp_path)[fitted.best_epoch]["val_loss"] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("hook", ["training_step", "on_validation_epoch_end"])
@pytest.mark.parametrize("section", [EMA, SWA], ids=["ema", "swa"])
def test_an_averaged_training_killed_and_resumed_ends_in_the_same_bytes(
    tmp_path: Path, section: Any, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"averaging": section, "epochs": 4, "schedule": CosineConfig(name="cosine", warmup_epochs=1.0)}
    whole = weights(run(tmp_path / "whole", **changes))
    original = getattr(Learner, hook)

    def dying(self: pl.LightningModule, *args: Any) -> Any:
        if self.current_epoch == 2:
            raise Killed
        return original(self, *args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Learner, hook, dying)
        run(tmp_path / "killed", **changes)
    assert weights(run(tmp_path / "killed", **changes)) == whole
    assert history(tmp_path / "killed")[-1]["val_loss"] == history(tmp_path / "whole")[-1]["val_loss"]


def test_the_mean_of_weights_takes_counters_as_they_are() -> None:
    """torch's own divides them, which fails on a GPU."""
    average, counter = torch.tensor([1.0, 4.0]), torch.tensor(3)
    averaging._mean([average], [torch.tensor([4.0, 1.0])], torch.tensor(2))
    averaging._mean([counter], [torch.tensor(8)], torch.tensor(2))
    torch.testing.assert_close(average, torch.tensor([2.0, 3.0]))
    assert int(counter) == 8
