"""Dense SIFT descriptors (Lowe, IJCV 2004) as a bag of visual words, and a classifier on it.

Descriptors lie on a grid, without a scale or a direction of their own: that is what a classifier of pictures
wants (Fei-Fei and Perona 2005; Bosch et al. 2007). A descriptor is shared between the words near it (kernel
codebook, van Gemert et al. 2008), so that an answer does not hang on the last bit of a distance. The words
are counted in the whole picture and in its quarters (Lazebnik et al. 2006).
"""

import numpy as np
import torch
from torch import Tensor, nn

from convoy.config.classical import SiftConfig
from convoy.data import hog
from convoy.errors import ConfigError, DataError
from convoy.models._classical import gradients, heads
from convoy.models._classical.body import Classical, Features
from convoy.models._spec import NetworkSpec

_ORIENTATIONS = 8  # over a whole turn
_CELLS = 4  # a side of a descriptor
_LARGEST = 96  # pixels a side; larger pictures are reduced to it
_SAMPLED = 100_000  # descriptors that words are found among, at most
_OF_EACH = 8  # of a picture, about
_FLAT = 1.0  # length of a descriptor of grey levels that says nothing


class Sift(Features):
    """pixels (N, C, H, W) from 0 to 255 -> roots of the words' shares (N, 5 words)."""

    learns = True
    word: Tensor  # (words, 128)
    spread: Tensor  # (1,): the mean squared distance from a descriptor to its word
    down: Tensor
    across: Tensor

    def __init__(self, config: SiftConfig, spec: NetworkSpec) -> None:
        """Raises:
        ConfigError: the pictures are smaller than two descriptors a side.
        """
        super().__init__()
        self._config = config
        factor = min(1.0, _LARGEST / max(spec.height, spec.width))
        size = (round(spec.height * factor), round(spec.width * factor))
        window = _CELLS * config.cell
        if min(size) < window + config.step:
            raise ConfigError(
                f"sift cannot take images of {spec.height}×{spec.width}: two descriptors a side of "
                f"{window} pixels, {config.step} apart, need {window + config.step}",
                where="params.yaml: model",
                fix="lower model.cell or model.step, or enlarge prepare.height and width",
            )
        self._exact = factor == 1
        self.register_buffer("down", gradients.reducing(spec.height, size[0]), persistent=False)
        self.register_buffer("across", gradients.reducing(spec.width, size[1]), persistent=False)
        self.register_buffer("word", torch.zeros(config.words, _CELLS**2 * _ORIENTATIONS))
        self.register_buffer("spread", torch.ones(1))
        self.width = 5 * config.words
        self._seen: list[Tensor] = []

    def descriptors(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, rows, columns, 128), of length 1; and (N, rows, columns): 0 for flat ones to 1."""
        pixels = pixels.round()  # whole numbers again, as they were: equally steep channels are equal
        if not self._exact:
            pixels = self.down @ pixels @ self.across.T
        x, y = gradients.gradients(pixels)
        cell, step = self._config.cell, self._config.step
        sums = gradients.by_orientation(x, y, _ORIENTATIONS, gradients.WHOLE_TURN, cell, 1)
        rows, columns = ((side - _CELLS * cell) // step + 1 for side in (pixels.shape[2], pixels.shape[3]))
        high, wide = (rows - 1) * step + 1, (columns - 1) * step + 1
        parts = [
            sums[:, :, down : down + high : step, over : over + wide : step]
            for down in range(0, _CELLS * cell, cell)
            for over in range(0, _CELLS * cell, cell)
        ]
        found = torch.cat(parts, dim=1).permute(0, 2, 3, 1)
        length = (found**2).sum(dim=3).sqrt()
        found = gradients.unit(gradients.unit(found, 3).clamp(max=hog.CLIP), 3)
        return found, (length / _FLAT).clamp(max=1)

    def forward(self, pixels: Tensor) -> Tensor:
        found, speaks = self.descriptors(pixels)
        away = 2 - 2 * found @ self.word.T + ((self.word**2).sum(dim=1) - 1)
        share = (-3 * away / self.spread).softmax(dim=3) * speaks[..., None]
        total = share.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
        share = share / total
        rows, columns = share.shape[1] // 2, share.shape[2] // 2
        quarters = [share[:, :rows], share[:, rows:]]
        parts = [part for half in quarters for part in (half[:, :, :columns], half[:, :, columns:])]
        counts = torch.cat([part.sum(dim=(1, 2)) for part in (share, *parts)], dim=1)
        return (counts + 1e-6).sqrt()

    def see(self, batch: Tensor) -> None:
        found, speaks = self.descriptors(batch)
        known = found[speaks >= 1]
        most = _OF_EACH * max(len(batch), -(-self._config.words // _OF_EACH))
        if len(known) > most:
            random = np.random.default_rng((len(self._seen), len(known)))
            known = known[torch.from_numpy(np.sort(random.choice(len(known), most, replace=False)))]
        self._seen.append(known)

    def learn(self, seed: int) -> None:
        from sklearn.cluster import MiniBatchKMeans
        from threadpoolctl import threadpool_limits

        found = torch.cat(self._seen).numpy()
        self._seen.clear()
        if len(found) < self._config.words:
            raise DataError(
                f"the training split's pictures hold {len(found)} descriptors for {self._config.words} words",
                where="params.yaml: model.words",
                fix="lower model.words or model.step, or bring more pictures",
            )
        if len(found) > _SAMPLED:
            chosen = np.random.default_rng(seed).choice(len(found), _SAMPLED, replace=False)
            found = found[np.sort(chosen)]
        with threadpool_limits(1):  # several threads would add in any order
            means = MiniBatchKMeans(
                self._config.words, random_state=seed, batch_size=4096, n_init=1, max_iter=50
            ).fit(found)
        spread = max(float(means.inertia_) / len(found), 1e-3)
        self.put(
            word=torch.from_numpy(means.cluster_centers_.astype(np.float32)), spread=torch.tensor([spread])
        )


def normalisation(config: SiftConfig, spec: NetworkSpec) -> tuple[list[float], list[float]]:  # noqa: ARG001
    """Gradients are of grey levels as they are stored."""
    return [0.0] * spec.channels, [1 / 255] * spec.channels


def build(config: SiftConfig, spec: NetworkSpec) -> nn.Module:
    """Raises:
    ConfigError: the pictures are too small.
    """
    return Classical(Sift(config, spec), heads.head(config.classifier, spec.outputs))
