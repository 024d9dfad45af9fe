"""Sample tables for the tests of the splits."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from convoy.data.split import assign

CLASSES = ["cat", "dog"]
DEFAULT: dict[str, Any] = {"strategy": "auto", "val": 0.1, "test": 0.2, "seed": 0, "classes": CLASSES}


def identity(number: int) -> str:
    """Of sample `number`, as scattered as a content id."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def table(cats: int = 50, dogs: int = 30, split: str | None = None, **columns: Any) -> pd.DataFrame:
    """Cats, then dogs, with the columns of `validate` and `columns`."""
    targets = ["cat"] * cats + ["dog"] * dogs
    rows = range(len(targets))
    given = {name: pd.Series(list(values), dtype=object) for name, values in columns.items()}
    return pd.DataFrame(
        {
            "id": [identity(row) for row in rows],
            "path": [f"{row}.png" for row in rows],
            "target": targets,
            "split": pd.Series([split] * len(targets), dtype=object),
            **given,
        }
    )


def given_splits() -> pd.DataFrame:
    samples = table(cats=30, dogs=30)
    samples["split"] = np.resize(np.array(["train", "train", "val", "test"], dtype=object), 60)
    return samples


def counts(samples: pd.DataFrame, chosen: pd.Series) -> dict[tuple[str, str], int]:
    return {key: int(n) for key, n in chosen.groupby([samples["target"], chosen]).size().items()}


def sides(samples: pd.DataFrame, **how: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Side by id, and what `assign` says besides."""
    chosen, said = assign(samples, **{**DEFAULT, **how})
    return dict(zip(samples["id"], chosen, strict=True)), said
