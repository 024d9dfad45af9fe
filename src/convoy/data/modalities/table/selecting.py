"""Which features the network gets, by sklearn, on the training split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import f_classif, mutual_info_classif
from sklearn.linear_model import LogisticRegression

from convoy.config.tables import SelectConfig

Floats = NDArray[np.float64]

_TREES = 200
_LASSO = 0.1  # C of the logistic regression


def chosen(
    features: Floats, target: NDArray[np.int64], sizes: Sequence[int], section: SelectConfig
) -> list[int]:
    """Places of the features that stay, in their order.

    Args:
        features: (N, features) before the selection; the last len(sizes) are codes of categories.
        target: (N,).
        sizes: numbers of their codes.
    """
    if section.name == "none":
        return list(range(features.shape[1]))
    plain = features.shape[1] - len(sizes)
    expanded = [features[:, :plain]]
    owner = list(range(plain))
    for number, size in enumerate(sizes):  # a column of codes is judged by its best category
        column = features[:, plain + number].astype(np.int64)
        expanded.append((column[:, None] == np.arange(size)[None]).astype(np.float64))
        owner += [plain + number] * size
    scores = np.zeros(features.shape[1])
    np.maximum.at(scores, owner, _scores(np.concatenate(expanded, axis=1), target, plain, section))
    if section.name == "variance":
        kept = np.flatnonzero(scores > section.threshold)
    elif section.keep is None:
        kept = np.flatnonzero(scores > 0)
    else:
        kept = np.sort(np.argsort(-scores, kind="stable")[: section.keep])
    if not len(kept):
        kept = np.array([int(scores.argmax())])
    found: list[int] = kept.tolist()
    return found


def _scores(values: Floats, target: NDArray[np.int64], plain: int, section: SelectConfig) -> Floats:
    """(columns,), the larger the better."""
    if section.name == "variance":
        return np.asarray(values.var(axis=0))
    varies = values.min(axis=0) < values.max(axis=0)  # a constant has no F
    scores = np.zeros(values.shape[1])
    if section.name == "univariate":
        scores[varies] = np.nan_to_num(f_classif(values[:, varies], target)[0], nan=0.0, posinf=1e300)
        return scores
    if section.name == "mutual_information":
        binary = np.array([np.isin(column, (0.0, 1.0)).all() for column in values.T])
        binary[plain:] = True
        found: Floats = mutual_info_classif(values, target, discrete_features=binary, random_state=0)
        return found
    if section.name == "l1":
        deviation = np.where(varies, values.std(axis=0), 1.0)
        scaled = (values - values.mean(axis=0)) / deviation
        model = LogisticRegression(
            l1_ratio=1.0, C=_LASSO, solver="saga", max_iter=200, tol=1e-2, random_state=0
        )
        return np.asarray(np.abs(model.fit(scaled, target).coef_).max(axis=0) * varies)
    trees = ExtraTreesClassifier(_TREES, random_state=0, n_jobs=1).fit(values, target)
    return np.asarray(trees.feature_importances_)
