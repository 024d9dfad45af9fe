"""Questions and orders: the first word tells the class; some words are in the test split alone."""

from pathlib import Path

import numpy as np

from convoy.config.data import DataConfig

CLASSES = ["order", "question"]
DATA = DataConfig(modality="text", source="text_lines", path="raw", lines={"all": "all.txt"})


def lines(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    begun = {"question": ["who", "where", "when"], "order": ["go", "take", "give"]}
    words = ["the", "red", "car", "big", "house", "old", "dog", "it", "now", "there"]
    found = []
    for number in range(count):
        label = CLASSES[number % 2]
        rest = random.choice(words, random.integers(2, 9)).tolist()
        found.append(f"{label} {random.choice(begun[label])} {' '.join(rest)} {number}")
    return found


def write(root: Path, count: int = 120) -> None:
    (root / "raw").mkdir(parents=True)
    (root / "raw" / "all.txt").write_text("\n".join(lines(count)) + "\n", encoding="utf-8")
