from pathlib import Path
from typing import Any

import pytest
import torch

from convoy.config.model import CnnConfig, ConvBlock
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import SgdConfig
from convoy.config.schedule import CosineConfig
from convoy.training.accumulation import Accumulation
from tests.training.fitting import history, run

# without batch norm and dropout, whose batches are the small ones
PLAIN = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4, norm="none")])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"l1": 0.001, "l2": 0.01},
        {"gradient_clipping": {"by": "norm", "limit": 0.05}},
        {"objective": ClassificationConfig(name="classification", class_weights={"up": 3.0})},
    ],
    ids=str,
)
def test_accumulated_batches_are_one_large_batch(tmp_path: Path, changes: dict[str, Any]) -> None:
    from convoy.config.regularise import GradientClippingConfig

    if "gradient_clipping" in changes:
        changes["gradient_clipping"] = GradientClippingConfig(**changes["gradient_clipping"])
    common = {
        "model": PLAIN,
        "optimizer": SgdConfig(name="sgd", lr=0.1),
        "schedule": CosineConfig(name="cosine", warmup_epochs=1.0),
        **changes,
    }
    # 64 samples: five batches of 12 and one of 4; the last group holds two of 12 and that one of 4
    small = run(tmp_path / "small", batch_size=12, accumulate_batches=3, **common)
    large = run(tmp_path / "large", batch_size=36, **common)
    torch.testing.assert_close(small.weights, large.weights, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(history(tmp_path / "small"), history(tmp_path / "large"), strict=True):
        assert ours["lr"] == pytest.approx(theirs["lr"])
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)


def test_a_smaller_last_group_weighs_its_samples_alike() -> None:
    groups = Accumulation(every=3, batches=5, batch_size=4, samples=18)
    assert groups.steps == 2
    weights = [groups.weights(batch) for batch in range(5)]  # of 4, 4, 4, 4 and 2 samples
    assert [share / 3 for share, _ in weights] == pytest.approx([1 / 3] * 3 + [4 / 6, 2 / 6])
    assert [once / 3 for _, once in weights] == pytest.approx([1 / 3] * 3 + [1 / 2] * 2)


def test_nothing_is_weighed_where_nothing_is_accumulated() -> None:
    plain = Accumulation(every=1, batches=5, batch_size=4, samples=18)
    found = {weight for batch in range(5) for weight in plain.weights(batch)}
    assert found == {1.0}


def test_a_last_batch_with_one_sample_more_counts_them_all() -> None:
    groups = Accumulation(every=2, batches=4, batch_size=4, samples=17)  # 4, 4, 4 and 5
    assert groups.weights(2) == (pytest.approx(2 * 4 / 9), 1.0)
    assert groups.weights(3) == (pytest.approx(2 * 5 / 9), 1.0)
