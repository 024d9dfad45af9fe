from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from convoy import plugins
from convoy.config.objective import ClassificationConfig, FocalConfig, MultilabelConfig, RegressionConfig
from convoy.errors import ConfigError, DataError
from convoy.training.objectives._base import Targets
from convoy.training.objectives.classification import Classification

LOGITS = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
TARGETS = Targets(["cat", "dog", "eel"], TARGET.numpy())


def classification(**section: Any) -> Classification:
    return Classification(ClassificationConfig(name="classification", **section), TARGETS)


def test_plain_cross_entropy_is_torchs_to_the_bit() -> None:
    objective = classification(label_smoothing=0.1)
    expected = functional.cross_entropy(LOGITS, TARGET, label_smoothing=0.1)
    assert torch.equal(objective.loss(LOGITS, TARGET), expected)
    measured = objective.measures(LOGITS, TARGET)
    assert torch.equal(measured["loss"], functional.cross_entropy(LOGITS, TARGET, reduction="sum"))
    assert measured["accuracy"] == (LOGITS.argmax(1) == TARGET).sum()


def test_balanced_classes_count_alike_and_samples_one_on_average() -> None:
    weights = classification(class_weights="balanced").weights
    assert weights is not None
    counts = torch.tensor([4.0, 2.0, 2.0])
    torch.testing.assert_close(weights * counts, torch.full((3,), 8 / 3))
    assert float(weights[TARGET].mean()) == pytest.approx(1.0)


def test_weights_by_name_leave_other_classes_at_one() -> None:
    weights = classification(class_weights={"dog": 3.0}).weights
    assert weights is not None
    assert weights.tolist() == [1.0, 3.0, 1.0]


def test_the_weighted_loss_is_the_mean_over_samples() -> None:
    objective = classification(class_weights={"cat": 2.0, "eel": 0.5})
    total = functional.cross_entropy(LOGITS, TARGET, weight=torch.tensor([2.0, 1.0, 0.5]), reduction="sum")
    torch.testing.assert_close(objective.loss(LOGITS, TARGET), total / 8)
    torch.testing.assert_close(objective.measures(LOGITS, TARGET)["loss"], total)


def test_a_weight_for_an_unknown_class_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="'dgo'") as caught:
        classification(class_weights={"dgo": 3.0})
    assert "cat, dog, eel" in caught.value.fix


def test_a_class_without_samples_cannot_be_balanced() -> None:
    config = ClassificationConfig(name="classification", class_weights="balanced")
    with pytest.raises(DataError, match="'ray' cannot be balanced"):
        Classification(config, Targets(["cat", "dog", "eel", "ray"], TARGET.numpy()))


def test_validation_measures_the_same_loss_without_smoothing() -> None:
    focal = FocalConfig(name="focal", gamma=1.0)
    smooth = classification(loss=focal, label_smoothing=0.2).measures(LOGITS, TARGET)["loss"]
    assert torch.equal(smooth, classification(loss=focal).measures(LOGITS, TARGET)["loss"])
    torch.testing.assert_close(smooth / 8, classification(loss=focal).loss(LOGITS, TARGET))


LABELS = np.array([[1, 0], [0, 0], [0, 1], [0, 1]], dtype=np.float32)


def test_multilabel_measures_labels_and_whole_samples() -> None:
    config = MultilabelConfig(name="multilabel", positive_weights="balanced")
    objective = plugins.load("objective", "multilabel").build(config, Targets(["a", "b"], LABELS))
    assert objective.positive_weights.tolist() == [3.0, 1.0]
    logits = torch.tensor([[2.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    measured = objective.measures(logits, torch.tensor(LABELS))
    assert float(measured["accuracy"]) == 3.0  # 6 of 8 labels
    assert float(measured["exact_match"]) == 2.0
    weighted = functional.binary_cross_entropy_with_logits(
        logits, torch.tensor(LABELS), pos_weight=torch.tensor([3.0, 1.0])
    )
    torch.testing.assert_close(objective.loss(logits, torch.tensor(LABELS)), weighted)
    torch.testing.assert_close(measured["loss"] / 4, weighted)


def test_regression_measures_both_errors_whatever_is_trained() -> None:
    outputs, target = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    for name, expected in (("mse", 2.5), ("mae", 1.0)):
        config = RegressionConfig.model_validate({"name": "regression", "loss": name})
        objective = plugins.load("objective", "regression").build(config, Targets(["x", "y"], target.numpy()))
        assert float(objective.loss(outputs, target)) == pytest.approx(expected)
        measured = objective.measures(outputs, target)
        assert float(measured["mae"]) / 2 == pytest.approx(1.0)
        assert float(measured["mse"]) / 2 == pytest.approx(2.5)
