"""What a report says about a model's mistakes, from the predictions of the test split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """One class taken for another.

    Attributes:
        target: index of the true class.
        prediction: index of what it was taken for.
        count: how often.
        support: test samples of the true class.
        reverse: how often the other way round.
        rows: positions among the test rows, the worst mistake first.
    """

    target: int
    prediction: int
    count: int
    support: int
    reverse: int
    rows: Indices


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix, or the part of it that holds the most mistakes.

    Attributes:
        classes: (K,) indices of the classes that are shown.
        counts: (K, K); rows are targets, columns predictions.
        elsewhere: (K,) predictions of classes that are not shown.
        support: (K,) test samples of each target.
        partial: whether classes are left out.
    """

    classes: Indices
    counts: Indices
    elsewhere: Indices
    support: Indices
    partial: bool


class Findings:
    """The test rows of a predictions table, their classes as indices.

    Attributes:
        test: rows of split test, in the table's order, index 0 … N-1.
        target: (N,) index of the true class.
        prediction: (N,) index of the predicted one.
        worst: positions of the mistakes, the greatest loss first.
        confusions: how many pairs of classes were confused.
    """

    def __init__(self, predictions: pd.DataFrame, classes: Sequence[str]) -> None:
        self.test = predictions[predictions["split"] == "test"].reset_index(drop=True)
        self.target = self._indices("target", classes)
        self.prediction = self._indices("prediction", classes)
        wrong = self.test[self.target != self.prediction]
        order = wrong.sort_values(["loss", "id"], ascending=[False, True]).index
        self.worst: Indices = order.to_numpy(np.int64)
        self._size = len(classes)
        self._support = np.bincount(self.target, minlength=self._size)
        self._often = self._count_confusions()
        self.confusions = len(self._often)

    def _indices(self, column: str, classes: Sequence[str]) -> Indices:
        position = {name: number for number, name in enumerate(classes)}
        return np.asarray(self.test[column].map(position), dtype=np.int64)

    def pairs(self, most: int, examples: int) -> list[Pair]:
        """The confusions that happened most often, at most `most`, each with up to `examples` rows."""
        often = self._often
        code = self._code(self.worst)
        found = []
        for chosen, count in list(often.items())[:most]:
            target, prediction = divmod(chosen, self._size)
            found.append(
                Pair(
                    target=target,
                    prediction=prediction,
                    count=count,
                    support=int(self._support[target]),
                    reverse=often.get(prediction * self._size + target, 0),
                    rows=self.worst[code == chosen][:examples],
                )
            )
        return found

    def taken_for(self) -> dict[int, tuple[int, int]]:
        """Class -> what it was most often taken for, and how often; only classes with mistakes."""
        found: dict[int, tuple[int, int]] = {}
        for code, count in self._often.items():
            target, prediction = divmod(code, self._size)
            found.setdefault(target, (prediction, count))
        return found

    def _count_confusions(self) -> dict[int, int]:
        """target * classes + prediction -> how often, the most frequent first."""
        codes, counts = np.unique(self._code(self.worst), return_counts=True)
        order = np.lexsort((codes, -counts))
        return dict(zip(codes[order].tolist(), counts[order].tolist(), strict=True))

    def _code(self, rows: Indices) -> Indices:
        code: Indices = self.target[rows] * self._size + self.prediction[rows]
        return code

    def matrix(self, most: int) -> Matrix:
        """The confusion matrix; of more than `most` classes, of those with the most mistakes."""
        wrong = self.target != self.prediction
        mistakes = np.bincount(self.target[wrong], minlength=self._size)
        mistakes += np.bincount(self.prediction[wrong], minlength=self._size)
        order = np.lexsort((np.arange(self._size), -mistakes))
        shown = np.sort(order[:most]).astype(np.int64)
        place = np.full(self._size, -1)
        place[shown] = np.arange(len(shown))
        rows, columns = place[self.target], place[self.prediction]
        inside = (rows >= 0) & (columns >= 0)
        size = len(shown)
        counts = np.bincount(rows[inside] * size + columns[inside], minlength=size * size)
        outside = np.bincount(rows[(rows >= 0) & (columns < 0)], minlength=size)
        return Matrix(
            classes=shown,
            counts=counts.reshape(size, size),
            elsewhere=outside,
            support=self._support[shown],
            partial=size < self._size,
        )
