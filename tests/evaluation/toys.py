"""Random predictions for the tests of metrics."""

import numpy as np
import pandas as pd


def table(count: int, classes: list[str], seed: int = 0, right: float = 0.8) -> pd.DataFrame:
    """Random predictions of which about the share `right` is made easy to get right."""
    random = np.random.default_rng(seed)
    target = random.integers(0, len(classes), count)
    logits = random.normal(size=(count, len(classes)))
    logits[np.arange(count), target] += np.where(random.random(count) < right, 4.0, 0.0)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.asarray(classes, dtype=object)
    frame = pd.DataFrame({"target": names[target], "prediction": names[p.argmax(axis=1)]})
    frame["loss"] = -np.log(p[np.arange(count), target])
    return pd.concat([frame, pd.DataFrame({f"p:{name}": p[:, n] for n, name in enumerate(classes)})], axis=1)


def perfect(frame: pd.DataFrame) -> pd.DataFrame:
    """The same targets, each predicted with probability 1."""
    names = [column for column in frame.columns if column.startswith("p:")]
    certain = {column: (frame["target"] == column[2:]).astype(float) for column in names}
    return frame.assign(prediction=frame["target"], loss=0.0, **certain)
