"""The tensors of a fitted classifier answer as the classifier of sklearn does."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from torch import nn

from convoy.config.classical import ClassifierConfig
from convoy.models._classical import heads as shapes
from convoy.training import heads

CONFIG: TypeAdapter[ClassifierConfig] = TypeAdapter(ClassifierConfig)
SECTIONS: dict[str, dict[str, Any]] = {
    "logistic": {},
    "linear_svm": {},
    "ridge": {},
    "random_forest": {"trees": 7},
    "gradient_boosting": {"rounds": 9, "min_leaf": 3, "learning_rate": 0.3},
}
LINEAR = ("logistic", "linear_svm", "ridge")


def sample(classes: tuple[int, ...], outputs: int, count: int = 90) -> heads.Sample:
    random = np.random.default_rng(0)
    target = np.array(classes)[np.arange(count) % len(classes)]
    features = random.normal(size=(count, 6)).astype(np.float32)
    features[:, 0] += target
    features[:, 1] = np.round(features[:, 1])  # equal to many thresholds
    return heads.Sample(features, target, None, outputs)


def fitted(name: str, given: heads.Sample, *, scaled: bool = False, **changes: Any) -> tuple[nn.Module, Any]:
    config = CONFIG.validate_python({"name": name, **SECTIONS[name], **changes})
    head = shapes.head(config, given.outputs)
    model, complaint = heads.fit(config, head, given, scaled=scaled, seed=0, threads=1)
    assert complaint is None
    return head, model


def said(head: nn.Module, features: NDArray[np.float32]) -> torch.Tensor:
    with torch.inference_mode():
        scores: torch.Tensor = head(torch.from_numpy(features))
    return scores


@pytest.mark.parametrize("name", ["logistic", "random_forest", "gradient_boosting"])
@pytest.mark.parametrize("classes", [(0, 1), (0, 1, 2)], ids=["two", "three"])
def test_probabilities_are_sklearns(name: str, classes: tuple[int, ...]) -> None:
    given = sample(classes, len(classes))
    head, model = fitted(name, given)
    found = said(head, given.features).softmax(1).numpy()
    # a share of 0 is taken for a millionth
    np.testing.assert_allclose(found, model.predict_proba(given.features), atol=2e-5)


@pytest.mark.parametrize("name", ["linear_svm", "ridge"])
def test_margins_are_sklearns(name: str) -> None:
    given = sample((0, 1, 2), 3)
    head, model = fitted(name, given)
    found = said(head, given.features).numpy()
    np.testing.assert_allclose(found, model.decision_function(given.features), atol=1e-5)
    two = sample((0, 1), 2)
    head, model = fitted(name, two)
    scores = said(head, two.features).numpy()
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], model.decision_function(two.features), atol=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_scaling_goes_into_the_weights(name: str) -> None:
    given = sample((0, 1, 2), 3)
    features = given.features * np.float32(50) + np.float32(7)
    head, model = fitted(name, heads.Sample(features, given.target, None, 3), scaled=True)
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    np.testing.assert_allclose(said(head, features).numpy(), model.decision_function(scaled), atol=1e-4)


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("classes", [(1, 3), (0, 2, 3)], ids=["two", "three"])
def test_a_class_that_training_does_not_hold_is_never_the_answer(name: str, classes: tuple[int, ...]) -> None:
    given = sample(classes, 4)
    head, model = fitted(name, given)
    scores = said(head, given.features)
    assert scores.shape == (len(given.target), 4)
    assert scores.softmax(1)[:, [n for n in range(4) if n not in classes]].max() < 1e-3
    np.testing.assert_array_equal(scores.argmax(1).numpy(), model.predict(given.features))


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting"])
def test_trees_take_the_same_way_at_their_very_thresholds(name: str) -> None:
    given = sample((0, 1, 2), 3, count=400)
    head, model = fitted(name, given)
    threshold: Any = head.get_submodule("trees").get_buffer("threshold")
    near = np.unique(threshold.numpy())
    values = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    rows = np.random.default_rng(1).choice(values, (5000, 6)).astype(np.float32)
    found = said(head, rows).softmax(1).numpy()
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=2e-5)


@pytest.mark.parametrize("name", SECTIONS)
def test_samples_of_more_weight_count_more(name: str) -> None:
    given = sample((0, 1), 2)
    random = np.random.default_rng(2)
    noise = heads.Sample(random.normal(size=(90, 6)).astype(np.float32), given.target, None, 2)
    weight = np.where(noise.target == 1, 8.0, 1.0)
    plain, _ = fitted(name, noise)
    weighted, _ = fitted(name, heads.Sample(noise.features, noise.target, weight, 2))
    fresh = random.normal(size=(500, 6)).astype(np.float32)
    shares = [float((said(head, fresh).argmax(1) == 1).float().mean()) for head in (plain, weighted)]
    assert shares[1] > shares[0]


@pytest.mark.parametrize("name", ["logistic", "linear_svm", "ridge", "random_forest"])
def test_sparse_features_give_what_dense_ones_do(name: str) -> None:
    given = sample((0, 1, 2), 3)
    features = np.where(np.abs(given.features) > 1, given.features, np.float32(0))
    dense, _ = fitted(name, heads.Sample(features, given.target, None, 3))
    few, _ = fitted(name, heads.Sample(sparse.csr_matrix(features), given.target, None, 3))
    np.testing.assert_allclose(said(few, features).numpy(), said(dense, features).numpy(), atol=1e-2)


def test_a_fit_that_does_not_converge_is_told() -> None:
    given = sample((0, 1, 2), 3)
    config = CONFIG.validate_python({"name": "logistic", "C": 1e6, "max_iterations": 1})
    _, complaint = heads.fit(config, shapes.head(config, 3), given, scaled=False, seed=0, threads=1)
    assert complaint is not None
    assert "raise classifier.max_iterations" in complaint


@pytest.mark.parametrize("name", SECTIONS)
def test_equal_seeds_give_equal_bits(name: str) -> None:
    given = sample((0, 1, 2), 3)
    first, second = (fitted(name, given)[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
