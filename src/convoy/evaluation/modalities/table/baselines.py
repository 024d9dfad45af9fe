"""What a network for tables has to beat: gradient-boosted trees, and a linear model; both of sklearn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from convoy.data.modalities.table.batching import matrices
from convoy.data.store import Store
from convoy.evaluation.baseline import Codes

_MOST_CATEGORIES = 254  # that its trees take as categories
_TREES = 500
_PATIENCE = 20


@dataclass(frozen=True)
class GradientBoosting:
    """Trees of sklearn's HistGradientBoosting on the cells: it takes gaps and categories as they are.

    As many trees as a tenth of the training split asks for.

    Attributes:
        most_training: rows that it learns from; fewer would be no honest rival.
    """

    most_training: int = 1_000_000

    def __call__(self, training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
        target = training.target[chosen]
        if len(np.unique(target)) == 1:
            return np.full(len(test), target[0])
        numbers, codes = matrices(training, chosen)
        few = codes.max(axis=0, initial=0) < _MOST_CATEGORIES
        features = np.concatenate([numbers, codes], axis=1, dtype=np.float64)
        model = HistGradientBoostingClassifier(
            categorical_features=np.concatenate([np.zeros(numbers.shape[1], bool), few]),
            max_iter=_TREES,
            learning_rate=0.05,
            early_stopping=bool(np.bincount(target)[np.unique(target)].min() >= 10),
            n_iter_no_change=_PATIENCE,
            random_state=0,
        ).fit(features, target)
        answers: Codes = model.predict(np.concatenate(matrices(test), axis=1, dtype=np.float64)).astype(
            np.int64
        )
        return answers


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised numbers (gaps: the median) and one-hot categories."""

    most_training: int = 100_000

    def __call__(self, training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
        target = training.target[chosen]
        if len(np.unique(target)) == 1:
            return np.full(len(test), target[0])
        sides = [matrices(training, chosen), matrices(test)]
        parts: list[list[NDArray[np.float64]]] = [[], []]
        filling = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        for number, maker in enumerate(
            (filling, OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        ):
            if sides[0][number].shape[1]:
                parts[0].append(maker.fit_transform(sides[0][number]))
                parts[1].append(maker.transform(sides[1][number]))
        model = LogisticRegression(max_iter=1000).fit(np.concatenate(parts[0], axis=1), target)
        answers: Codes = model.predict(np.concatenate(parts[1], axis=1)).astype(np.int64)
        return answers
