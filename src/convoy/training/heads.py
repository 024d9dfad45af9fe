"""Classifiers of sklearn, fitted, and their numbers as the tensors of `convoy.models._classical.heads`.

Trees ask float32 features whether they are at most a threshold in float64. The greatest float32 that is not
above it gives every such feature the same answer.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from convoy.config.classical import (
    ClassifierConfig,
    GradientBoostingConfig,
    LinearSvmConfig,
    LogisticConfig,
    RandomForestConfig,
    RidgeConfig,
)
from convoy.models._classical.heads import Boosted, Forest, Linear, Trees

Matrix = Any  # (N, D) float32, an array or a csr_matrix
Floats = NDArray[np.float64]
_NEVER = -30.0  # the score of a class that the training split does not hold
_PENALTIES = np.logspace(-3, 3, 13)


@dataclass(frozen=True)
class Sample:
    """What a head is fitted to.

    Attributes:
        features: (N, D).
        target: (N,) indices of classes, two of them at least.
        weight: (N,) of each sample; None: all count alike.
        outputs: classes there are, of which the sample may miss some.
    """

    features: Matrix
    target: NDArray[np.int64]
    weight: Floats | None
    outputs: int


def fit(
    config: ClassifierConfig, head: nn.Module, sample: Sample, *, scaled: bool, seed: int, threads: int
) -> tuple[Any, str | None]:
    """Set the tensors of `head`.

    Args:
        scaled: linear heads are fitted to features of mean 0 and deviation 1, which goes into the weights.

    Returns:
        The fitted classifier of sklearn (of scaled features, where they are scaled), and what it complains
        of.
    """
    model = _made(config, sample, seed, threads)
    scaler = StandardScaler().fit(sample.features) if scaled and isinstance(head, Linear) else None
    # The solvers of linear models work in float64; what they get decides the last bits of their answer.
    features = sample.features if scaler is None else scaler.transform(sample.features.astype(np.float64))
    if isinstance(head, Linear) and scaler is None:
        features = features.astype(np.float64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(features, sample.target, sample_weight=sample.weight)
    for each in caught:
        if not issubclass(each.category, ConvergenceWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if isinstance(head, Forest):
        _put_forest(head, model, sample.outputs)
    elif isinstance(head, Boosted):
        _put_boosted(head, model, sample.outputs)
    else:
        assert isinstance(head, Linear)
        _put_linear(head, model, scaler, sample.outputs)
    if not any(issubclass(each.category, ConvergenceWarning) for each in caught):
        return model, None
    steps = getattr(config, "max_iterations", None)
    return model, f"did not converge in {steps} steps: raise classifier.max_iterations"


def _made(config: ClassifierConfig, sample: Sample, seed: int, threads: int) -> Any:
    if isinstance(config, LogisticConfig):
        return LogisticRegression(C=config.C, max_iter=config.max_iterations, random_state=seed)
    if isinstance(config, LinearSvmConfig):
        return LinearSVC(C=config.C, max_iter=config.max_iterations, dual="auto", random_state=seed)
    if isinstance(config, RidgeConfig):
        return RidgeClassifierCV(alphas=_PENALTIES)
    if isinstance(config, RandomForestConfig):
        return RandomForestClassifier(
            config.trees,
            max_depth=config.max_depth,
            min_samples_leaf=config.min_leaf,
            random_state=seed,
            n_jobs=threads,
        )
    assert isinstance(config, GradientBoostingConfig)
    few = int(np.bincount(sample.target)[np.unique(sample.target)].min()) < 10  # no tenth of them to judge by
    return HistGradientBoostingClassifier(
        max_iter=config.rounds,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.max_leaves,
        max_depth=config.max_depth,
        min_samples_leaf=config.min_leaf,
        early_stopping=config.patience is not None and not few,
        n_iter_no_change=config.patience or 1,
        random_state=seed,
    )


def _put_linear(head: Linear, model: Any, scaler: StandardScaler | None, outputs: int) -> None:
    weight, bias = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if scaler is not None:
        weight = weight / scaler.scale_
        bias = bias - weight @ scaler.mean_
    if len(model.classes_) == 2:  # one row that says how much more the second is
        weight, bias = np.stack([np.zeros_like(weight[0]), weight[0]]), np.array([0.0, bias[0]])
    all_weights, all_bias = np.zeros((outputs, weight.shape[1])), np.full(outputs, _NEVER)
    all_weights[model.classes_], all_bias[model.classes_] = weight, bias
    head.put(weight=torch.from_numpy(all_weights), bias=torch.from_numpy(all_bias))


@dataclass(frozen=True)
class _Tree:
    """Of M nodes.

    Attributes:
        left, right: nodes; of leaves whatever.
        leaf: (M,) bool.
        value: (M, width), of which those of leaves count.
    """

    feature: NDArray[np.int64]
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.bool_]
    value: Floats


def _put_trees(trees: Trees, given: Sequence[_Tree]) -> None:
    """All trees as one list of nodes."""
    sizes = [len(tree.leaf) for tree in given]
    firsts = np.cumsum([0, *sizes[:-1]])
    leaf = np.concatenate([tree.leaf for tree in given])
    own = np.arange(len(leaf))
    left, right = (
        np.concatenate([side + first for side, first in zip(sides, firsts, strict=True)])
        for sides in ([tree.left for tree in given], [tree.right for tree in given])
    )
    child = np.stack([np.where(leaf, own, left), np.where(leaf, own, right)], axis=1).reshape(-1)
    feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in given]))
    threshold = np.where(leaf, 0.0, _not_above(np.concatenate([tree.threshold for tree in given])))
    trees.put(
        feature=torch.from_numpy(feature),
        threshold=torch.from_numpy(threshold),
        child=torch.from_numpy(child),
        leaf=torch.from_numpy(np.where(leaf, np.cumsum(leaf) - 1, 0)),
        root=torch.from_numpy(firsts),
        value=torch.from_numpy(np.concatenate([tree.value[tree.leaf] for tree in given])),
    )


def _not_above(values: Floats) -> NDArray[np.float32]:
    """The greatest float32 that is at most each value."""
    near = values.astype(np.float32)
    lower: NDArray[np.float32] = np.where(
        near.astype(np.float64) > values, np.nextafter(near, np.float32(-np.inf)), near
    )
    return lower


def _put_forest(head: Forest, model: RandomForestClassifier, outputs: int) -> None:
    given = []
    for estimator in model.estimators_:
        tree = estimator.tree_
        shares = np.zeros((tree.node_count, outputs))
        shares[:, model.classes_] = tree.value[:, 0]
        shares /= shares.sum(axis=1, keepdims=True)
        leaf = tree.children_left < 0
        given.append(
            _Tree(tree.feature, tree.threshold, tree.children_left, tree.children_right, leaf, shares)
        )
    _put_trees(head.trees, given)


def _put_boosted(head: Boosted, model: HistGradientBoostingClassifier, outputs: int) -> None:
    classes = model.classes_
    start = np.full(outputs, _NEVER)
    scored = classes if len(classes) > 2 else classes[1:]
    start[classes] = 0.0
    start[scored] = model._baseline_prediction.reshape(-1)
    given, of = [], []
    for round_ in model._predictors:
        for number, predictor in enumerate(round_):
            nodes = predictor.nodes
            given.append(
                _Tree(
                    nodes["feature_idx"].astype(np.int64), nodes["num_threshold"],
                    nodes["left"].astype(np.int64), nodes["right"].astype(np.int64),
                    nodes["is_leaf"].astype(bool), nodes["value"][:, None],
                )
            )  # fmt: skip
            of.append(scored[number])
    _put_trees(head.trees, given)
    head.put(start=torch.from_numpy(start), of=torch.from_numpy(np.eye(outputs)[of]))
