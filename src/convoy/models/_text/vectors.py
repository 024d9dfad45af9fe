"""Word vectors that were learned before: text files as word2vec and GloVe write them, and .npz."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convoy.errors import ConfigError

_WHERE = "params.yaml: model.embedding.pretrained"


@dataclass(frozen=True)
class Vectors:
    """Rows of the vocabulary (K,), and their vectors (K, D)."""

    rows: Tensor
    values: Tensor


def read(path: Path, vocabulary: Sequence[str]) -> Vectors:
    """The vectors of the tokens that the file knows, as they are spelt or in lower case.

    Raises:
        ConfigError: there is no such file, it is no table of vectors, or knows none of the tokens.
    """
    wanted: dict[str, list[int]] = {}
    for number, token in enumerate(vocabulary):
        wanted.setdefault(token, []).append(number)
    rows: list[int] = []
    values: list[NDArray[np.float32]] = []
    for word, vector in _entries(path):
        for row in wanted.pop(word, ()):
            rows.append(row)
            values.append(vector)
    if not rows:
        raise ConfigError(
            f"{path.name} knows none of the {len(vocabulary):,} tokens", where=_WHERE, fix="name another file"
        )
    return Vectors(torch.tensor(rows), torch.from_numpy(np.stack(values)))


def size(path: Path) -> int | None:
    """Numbers of a vector; None where the file is not here any more."""
    if not path.is_file():
        return None
    return next((len(vector) for _, vector in _entries(path)), None)


def _entries(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    try:
        yield from _of_npz(path) if path.suffix == ".npz" else _of_text(path)
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the word vectors cannot be read: {error}",
            where=f"{_WHERE} ({path})",
            fix="name a .vec or .txt file in UTF-8, or a .npz with the arrays words and vectors",
        ) from None


def _of_npz(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    with np.load(path, allow_pickle=False) as arrays:
        words, vectors = arrays["words"], np.asarray(arrays["vectors"], np.float32)
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise _wrong(path, f"{words.shape} words and {vectors.shape} vectors")
    yield from zip((str(word) for word in words), vectors, strict=True)


def _of_text(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """`word number number …` a line; word2vec's first line, count and size, is skipped."""
    length = None
    with path.open(encoding="utf-8", newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            word, _, rest = line.rstrip().partition(" ")
            try:
                vector = np.array(rest.split(), np.float32)
            except ValueError:
                raise _wrong(path, f"line {number} holds something else than numbers") from None
            if number == 1 and len(vector) == 1:
                continue
            length = len(vector) if length is None else length
            if len(vector) != length or not length:
                raise _wrong(path, f"line {number} has {len(vector)} numbers, those before {length}")
            yield word, vector


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"{path.name} is no file of word vectors: {what}", where=_WHERE, fix="name another file"
    )
