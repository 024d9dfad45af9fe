"""Frequencies of tokens and of runs of them, weighted by how few training texts have them, and a classifier.

The weights are those of sklearn's TfidfVectorizer(sublinear_tf=True): (1 + ln count) (1 + ln((1 + texts) /
(1 + texts that have it))), each text of length 1.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convoy.config.classical import TfidfConfig
from convoy.errors import DataError
from convoy.models._classical import heads
from convoy.models._classical.body import Classical, Features
from convoy.models._spec import TextSpec


class Tfidf(Features):
    """ids (N, L), 0 behind the shorter ones -> (N, D).

    A run of tokens is one number, its key: the ids as digits to the base of the vocabulary's size. A key is
    found among the known ones, which are sorted, by bisection, as many texts at once as there are.
    """

    sparse = True
    learns = True
    key: Tensor  # (D,) int64, rising
    weight: Tensor  # (D,) fp32

    def __init__(self, config: TfidfConfig, spec: TextSpec) -> None:
        super().__init__()
        self._config = config
        self._base = len(spec.vocabulary)
        self.register_buffer("key", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("weight", torch.zeros(0))
        self._seen: list[NDArray[np.int64]] = []  # the keys of each text, each once
        self._texts = 0

    def keys(self, ids: Tensor) -> Tensor:
        """Of all runs, (N, places); 0 where there is none."""
        padded = nn.functional.pad(ids, (0, self._config.ngrams - 1))
        length = ids.shape[1]
        found, run = [], torch.zeros_like(ids)
        for number in range(self._config.ngrams):
            following = padded[:, number : number + length]
            whole = (following != 0) & ((run != 0) if number else True)
            run = torch.where(whole, run * self._base + following, 0)
            found.append(run)
        return torch.cat(found, dim=1)

    def forward(self, ids: Tensor) -> Tensor:
        count = len(self.key)
        if count == 0:
            return torch.zeros(ids.shape[0], 0, device=ids.device)
        asked = self.keys(ids)
        place = torch.zeros_like(asked)
        for step in reversed([1 << power for power in range(count.bit_length())]):
            further = (place + step).clamp(max=count - 1)
            place = torch.where(self.key[further] <= asked, further, place)
        known = (self.key[place] == asked).to(torch.float32)
        counts = torch.zeros(ids.shape[0], count, device=ids.device).scatter_add(1, place, known)
        weighted = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0) * self.weight
        found: Tensor = weighted / weighted.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return found

    def see(self, batch: Tensor) -> None:
        for row in self.keys(batch).numpy():
            self._seen.append(np.unique(row[row != 0]))
        self._texts += len(batch)

    def learn(self, seed: int) -> None:  # noqa: ARG002  # the contract of all
        keys, texts = np.unique(np.concatenate(self._seen), return_counts=True)
        self._seen.clear()
        often = np.flatnonzero(texts >= self._config.min_count)
        often = often[np.argsort(-texts[often], kind="stable")[: self._config.max_features]]
        often.sort()
        if len(often) == 0:
            raise DataError(
                f"no run of tokens is in {self._config.min_count} texts of the training split",
                where="params.yaml: model.min_count",
                fix="lower model.min_count",
            )
        weight = 1 + np.log((1 + self._texts) / (1 + texts[often]))
        self.put(key=torch.from_numpy(keys[often]), weight=torch.from_numpy(weight))


def build(config: TfidfConfig, spec: TextSpec) -> nn.Module:
    return Classical(Tfidf(config, spec), heads.head(config.classifier, spec.outputs))
