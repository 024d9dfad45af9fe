"""Classes: accuracy or macro F1 on the classes that both models know."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.gate import paired
from convoy.gate.objectives import _base
from convoy.gate.objectives._base import Common, Floats, Mask, Shares, some
from convoy.gate.paired import Answers, Codes


class Scores(_base.Scores):
    """`rival` holds the champion's answers as names, (N,)."""

    @staticmethod
    def answered(rows: Floats, classes: Sequence[str]) -> NDArray[Any]:
        names: NDArray[Any] = np.array(classes)[rows.argmax(axis=1)] if len(rows) else np.zeros(0, np.str_)
        return names

    @property
    def target(self) -> Codes:
        """(N,) indices into `classes`; -1 is a class that the challenger does not know."""
        code = {name: n for n, name in enumerate(self.classes)}
        return np.array([code.get(name, -1) for name in self.samples["target"]], np.int64)

    @property
    def common(self) -> set[str]:
        """The classes that both models know."""
        return set(self.classes) & set(self.rival_classes or ())

    @property
    def shared(self) -> Mask:
        """(N,) rows on which the two can be compared: fresh, and of a class that both know."""
        common: Mask = self.samples["target"].isin(self.common).to_numpy(bool)
        return self.fresh & common

    def answers(self) -> Answers:
        """Both models on the shared rows; an answer outside of the common classes is wrong."""
        assert self.rival is not None
        assert self.rival_classes is not None
        names = sorted({*self.classes, *self.rival_classes})
        code = {name: n for n, name in enumerate(names)}
        own = np.array([code[name] for name in self.classes], np.int64)
        rows = self.shared
        return Answers(
            np.array([code[name] for name in self.samples.loc[rows, "target"]], np.int64),
            own[self.rows[rows].argmax(axis=1)],
            np.array([code[name] for name in self.rival[rows].tolist()], np.int64),
            len(names),
        )

    def tested(self) -> Common:
        own, tested = set(self.classes), set(self.samples["target"])
        known = {"tested": len(tested), "known": len(tested & own)}
        if tested and not tested & own:
            said = f"the test samples are of another task: {some(tested)}; the model knows {some(own)}"
            return Common(False, said, known, "judge it in the project that it was trained in")
        return Common(True, f"the model knows {len(tested & own)} of {len(tested)} tested classes", known)

    def comparable(self) -> Common:
        own, other = set(self.classes), set(self.rival_classes or ())
        known = {"common": len(own & other), "only_challenger": sorted(own - other)[:20],
                 "only_champion": sorted(other - own)[:20]}  # fmt: skip
        if not own & other:
            said = f"it shares no class with the champion: {some(own)} against {some(other)}"
            return Common(False, said, known, "give it a name of its own (register.model)")
        if own == other:
            return Common(True, f"both know the same {len(own)} classes", known)
        said = f"compared on the {len(own & other)} common classes"
        for who, names in (("the challenger", own - other), ("the champion", other - own)):
            said += f"; only {who} knows {some(names)}" if names else ""
        return Common(True, said, known)

    def compare(self, metric: str) -> dict[str, Any]:
        return paired.compare(metric, self.answers())

    def measured(self, metric: str) -> float | None:
        target, answer = self.target, self.rows.argmax(axis=1)
        if (target < 0).all():
            return None
        names = len(self.classes)
        target = np.where(target < 0, names, target)  # a class that it does not know
        return paired.measure(metric, target, answer, names + int((target == names).any()))

    def shares(self) -> Shares:
        answers = self.answers()
        return Shares(
            (answers.challenger == answers.target).astype(np.float64),
            (answers.champion == answers.target).astype(np.float64),
            1,
        )

    def ece(self) -> float:
        from convoy.evaluation.calibration import ece

        return float(ece(self.rows, self.target))
