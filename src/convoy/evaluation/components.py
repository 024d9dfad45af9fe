"""Principal components of pictures, the linear autoencoder; and what a linear model reads from features."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convoy.evaluation.baseline import subset
from convoy.evaluation.restoring import blocks

Images = NDArray[np.uint8]
Features = NDArray[np.float32]
Codes = NDArray[np.int64]

_MOST_VALUES = 60_000_000  # pixels that components are fitted on, 240 MB
_STEPS = 1000


@dataclass(frozen=True)
class Components:
    """Principal components of the training split.

    Attributes:
        rows: the training samples that they were fitted on, positions.
    """

    model: PCA
    rows: Codes

    @property
    def count(self) -> int:
        return int(self.model.n_components_)

    def codes(self, images: Images) -> Features:
        """Pictures (N, H, W, C) -> (N, count)."""
        rows = blocks(len(images), int(images[:1].size))
        parts: list[Features] = [self.model.transform(_flat(images[some])) for some in rows]
        return np.concatenate(parts)

    def restored(self, images: Images) -> Features:
        """What the components keep of pictures (N, H, W, C), from 0 to 1 as a picture is."""
        found = self.model.inverse_transform(self.model.transform(_flat(images)))
        kept: Features = np.clip(found, 0.0, 1.0).astype(np.float32).reshape(images.shape)
        return kept


def fit(images: Images, count: int, seed: int) -> Components:
    """Up to `count` components of pictures (N, H, W, C), of as many of them as fit into memory."""
    size = int(images[:1].size)
    rows = subset(len(images), max(count + 1, _MOST_VALUES // size), seed)
    known = min(count, len(rows), size)
    return Components(PCA(known, random_state=seed).fit(_flat(images[rows])), rows)


def probe(features: Features, target: Codes, others: Features) -> Codes:
    """Answers for features (M, K) of a logistic regression on standardised features (N, K), targets (N,)."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the answers count, not the last digits
        answers: Codes = model.fit(features, target).predict(others).astype(np.int64)
    return answers


def plane(features: Features) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The first two principal components of features (N, K): (N, 2), and their shares of the spread.

    Of a code of one number the second is 0.
    """
    count = min(2, features.shape[1])
    model = PCA(count, svd_solver="full").fit(features)
    places = np.zeros((len(features), 2), np.float64)
    places[:, :count] = model.transform(features)
    shares = [*model.explained_variance_ratio_.tolist(), 0.0]
    return places, (shares[0], shares[1])


def _flat(images: Images) -> NDArray[np.float32]:
    return np.asarray(images, np.float32).reshape(len(images), -1) / np.float32(255)
