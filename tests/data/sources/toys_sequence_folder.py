"""A class of CSV files and one of WAV files, below train and test."""

import wave
from pathlib import Path

import numpy as np

from convoy.config.data import DataConfig

DATA = DataConfig(modality="sequence", source="sequence_folder", path="data")
ARCHIVES = True


def write_wav(path: Path, values: np.ndarray, rate: int = 8000) -> None:
    """(T, C) of int16."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(values.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(values.astype("<i2").tobytes())


def write(root: Path) -> None:
    random = np.random.default_rng(0)
    for side in ("train", "test"):
        for name in ("安静 quiet", "loud"):
            (root / side / name).mkdir(parents=True)
        for number in range(2):
            lines = [f"{a:.3f},{b:.3f}" for a, b in random.normal(size=(5 + number, 2))]
            (root / side / "安静 quiet" / f"{number}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
            sound = random.integers(-30000, 30000, (6 + number, 2))
            write_wav(root / side / "loud" / f"{number}.wav", sound)
        (root / side / "loud" / "notes.md").write_bytes(b"not data")
