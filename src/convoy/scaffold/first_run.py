"""What is chosen for a first training and its gate, whatever the samples are."""

from dataclasses import dataclass
from typing import Any, Literal

_COLUMN = 29  # where the comments of the recipes begin


@dataclass(frozen=True, kw_only=True)
class FirstRun:
    """Attributes:
    metric, minimum: of the gate.
    max_ece: of the gate; None where the test split is too small to tell.
    minutes: what the whole run may take on two cores.
    """

    epochs: int
    batch_size: int
    lr: float
    metric: Literal["accuracy", "macro_f1"]
    minimum: float
    max_ece: float | None
    robustness_samples: int
    minutes: int

    @property
    def duration(self) -> str:
        """In words."""
        return f"about {self.minutes} minute{'s' if self.minutes > 1 else ''}"

    def fit(self, tree: Any, *, patience: int) -> None:
        """Put it into the tree of params.yaml.

        Args:
            patience: of early stopping; a third of the epochs where that is more.
        """
        train = tree["train"]
        train.update(epochs=self.epochs, batch_size=self.batch_size)
        train["optimizer"]["lr"] = self.lr
        train["early_stopping"]["patience"] = max(patience, self.epochs // 3)
        tree["evaluate"]["robustness_samples"] = self.robustness_samples
        gate = tree["register"]["gate"]
        gate.update(metric=self.metric, minimum=self.minimum, max_ece=self.max_ece, beat_baseline=False)
        gate.yaml_add_eol_comment(
            "above always naming the largest class; raise it to what you need", "minimum", _COLUMN
        )
        gate.yaml_add_eol_comment(
            "true: the baseline of `evaluate` must be beaten, with its interval", "beat_baseline", _COLUMN
        )
