"""Flats: size, rooms, kind and balcony tell the price class; some values are missing, some equal."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig

CLASSES = ["cheap", "dear"]
DATA = DataConfig(
    modality="table", source="table_rows", path="raw", table="flats.csv", target="price", id_col="key"
)
COLUMNS = ("size", "rooms", "kind", "town", "balcony", "built")


def table(count: int = 240, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size = random.uniform(20, 150, count).round(1)
    rooms = np.clip((size / 30 + random.normal(0, 0.5, count)).round(), 1, 6).astype(int)
    kind = random.choice(["old", "new", "loft"], count, p=[0.5, 0.3, 0.2])
    town = random.choice(["Ulm", "Bonn", "Köln"], count)
    balcony = random.choice(["yes", "no"], count)
    built = pd.Timestamp("1950-01-01") + pd.to_timedelta(random.integers(0, 25_000, count), unit="D")
    worth = size / 30 + (kind == "loft") * 2 + (balcony == "yes") * 0.5 + random.normal(0, 0.05, count)
    found = pd.DataFrame(
        {
            "key": [f"F{n:04d}" for n in range(count)],
            "size": size.astype(str),
            "rooms": rooms.astype(str),
            "kind": kind,
            "town": town,
            "balcony": balcony,
            "built": built.strftime("%Y-%m-%d"),
            "price": np.where(worth > 3.4, "dear", "cheap"),
        },
        dtype=object,
    )
    found.loc[random.random(count) < 0.1, "size"] = ""
    found.loc[random.random(count) < 0.1, "kind"] = ""
    found.loc[random.random(count) < 0.05, "built"] = ""
    return found


def write(root: Path, count: int = 240, **changes: Any) -> None:
    """Changes: a column -> {row: value}."""
    (root / "raw").mkdir(parents=True, exist_ok=True)
    found = table(count)
    for name, values in changes.items():
        for row, value in values.items():
            found.loc[row, name] = value
    found.to_csv(root / "raw" / "flats.csv", index=False)
