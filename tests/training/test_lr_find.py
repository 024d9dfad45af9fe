import math
from pathlib import Path
from typing import Any

import pytest
import torch

from convoy.config.finetune import FineTuneConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import SgdConfig
from convoy.config.regularise import GradientClippingConfig
from convoy.data.loader import BatchLoader
from convoy.data.store import Store
from convoy.training import lr_find, network
from convoy.training.lr_find import RangeTest
from convoy.training.objectives.classification import Classification
from convoy.training.precision import Precision
from tests.toys import write_prepared
from tests.training.fitting import MODEL, section

CLIPPING = GradientClippingConfig(by="norm", limit=0.1)


def ranged(folder: Path, **changes: Any) -> RangeTest:
    preprocessor = write_prepared(folder / "prepared")
    torch.manual_seed(0)
    config = section(**{"optimizer": SgdConfig(name="sgd", lr=0.5), **changes})
    return lr_find.range_test(
        network.build(MODEL, preprocessor),
        Classification(ClassificationConfig(name="classification")),
        config,
        BatchLoader([Store.open(folder / "prepared" / "train")], batch_size=16, shuffle=True, workers=0),
        device=torch.device("cpu"),
        precision=Precision("fp32"),
        lowest=1e-5,
        highest=1e3,
        steps=80,
    )


def test_the_suggestion_lies_where_the_loss_falls(tmp_path: Path) -> None:
    found = ranged(tmp_path)
    assert found.suggested is not None
    assert 1e-3 < found.suggested < 1.0  # two classes of bright halves: rates of that size learn
    assert found.diverged or found.lrs[-1] == pytest.approx(1e3)
    assert found.lrs[1] / found.lrs[0] == pytest.approx((1e8) ** (1 / 79))


def test_equal_tests_give_equal_curves(tmp_path: Path) -> None:
    assert ranged(tmp_path / "a") == ranged(tmp_path / "b")


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulate_batches": 2},
        {"gradient_clipping": CLIPPING},
        {"l1": 0.001, "l2": 0.001},
    ],
    ids=str,
)
def test_what_training_does_with_gradients_is_done_here(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert ranged(tmp_path / "a", **changes).losses[20:] != ranged(tmp_path / "b").losses[20:]


def test_the_steepest_descent_of_a_known_curve_is_found() -> None:
    lrs = [10 ** (-5 + n / 10) for n in range(50)]
    curve = [1 / (1 + math.exp(4 * (math.log10(lr) + 2.5))) for lr in lrs]  # steepest at 10^-2.5
    assert lr_find.suggestion(lrs, curve) == pytest.approx(10**-2.5, rel=0.01)
    assert lr_find.suggestion(lrs, [1.0] * 50) is None
    assert lr_find.suggestion(lrs, [float(n) for n in range(50)]) is None
    assert lr_find.suggestion([], []) is None


def test_what_is_frozen_stays_and_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clipped: list[int] = []

    def clip(parameters: Any, _config: Any) -> torch.Tensor:
        clipped.append(sum(p.grad is not None for p in parameters))
        return torch.zeros(())

    monkeypatch.setattr(lr_find.clipping, "clip", clip)
    ranged(tmp_path, fine_tune=FineTuneConfig(freeze="body"), gradient_clipping=CLIPPING)
    assert set(clipped) == {2}  # the head's weight and bias
