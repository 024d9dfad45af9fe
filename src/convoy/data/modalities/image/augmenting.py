"""Augmentation of pictures: albumentations' transforms, and a picture of what they do."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.config.augment import AugmentConfig
from convoy.config.data import PrepareConfig
from convoy.data import presets, shards, store
from convoy.data.augment import Batch, Policy
from convoy.data.loader import batch_key
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.io import write_bytes

Images = NDArray[np.uint8]

PREVIEW = "preview.png"
_ROWS, _VARIANTS = 8, 7
_TILE = 96  # least pixels of a tile's longer side
_CHUNK = 256
_TRIED = 4  # pictures of noise that a policy is tried on

policy = Policy
transforms = presets.transforms


def trial(config: AugmentConfig, prepared: PrepareConfig) -> None:
    """Augment a little noise of the prepared size.

    Raises:
        ConfigError: albumentations refuses the policy, or it does not fit the size.
    """
    shape = (_TRIED, prepared.height, prepared.width, prepared.channels)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Policy(presets.transforms(config))(noise, 0)


def preview(training: Store, policy: Policy, mixing: Mixing | None, seed: int, out: Path) -> None:
    """Write the picture.

    Raises:
        ConfigError: the policy changes the images' size.
    """
    write_bytes(out / PREVIEW, _png(_pictured(training, policy, mixing, seed)))


def _pictured(training: Store, policy: Policy, mixing: Mixing | None, seed: int) -> Images:
    """One row a sample: the original left, augmented variants right; then a row each of mixup and cutmix.

    Returns:
        (H, W, C).
    """
    chosen = np.linspace(0, len(training) - 1, min(_ROWS, len(training))).astype(np.int64)
    originals = np.asarray(training.images[chosen])
    columns = [originals, *(policy(originals, batch_key(seed, 0, n)) for n in range(_VARIANTS))]
    tiles = np.stack(columns, axis=1)  # (rows, across, H, W, C)
    tiles = np.concatenate([tiles, *(row[None] for row in _mixed(mixing, columns, seed))])
    scale = max(1, -(-_TILE // max(originals.shape[1:3])))
    tiles = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
    rows, across, height, width, channels = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, across * width, channels)


def _mixed(mixing: Mixing | None, columns: list[Images], seed: int) -> Iterator[Images]:
    """For each kind of mixing that is on, the first sample of each batch of variants, mixed."""
    if mixing is None:
        return
    import torch

    from convoy.data.device import mixed

    for alone in mixing.each():
        row = []
        for number, batch in enumerate(columns):
            mix = alone.draw(batch_key(seed, 0, number), len(batch), batch.shape[1:3])
            assert mix is not None
            row.append(mixed.images(torch.from_numpy(batch), mix)[0].to(torch.uint8).numpy())
        yield np.stack(row)


def _png(image: Images) -> bytes:
    done, encoded = cv2.imencode(".png", image[:, :, ::-1] if image.shape[2] == 3 else image)
    assert done
    return encoded.tobytes()


def copies(training: Store, policy: Policy, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    rows, shape = len(training) * config.offline_copies, training.images.shape[1:]
    arrays = {
        "target": np.tile(training.target, config.offline_copies),
        "id": np.tile(training.id, config.offline_copies),
    }
    if training.values is not None:
        arrays["values"] = np.tile(training.values, (config.offline_copies, 1))
    points = [] if training.keypoints is None else [training.keypoints[:0]]

    def blocks() -> Iterator[Images]:
        for batch in _augmented(training, policy, config):
            if "keypoints" in batch:
                points.append(batch["keypoints"])
            yield batch["images"]

    folder.mkdir()
    shard = shards.write(folder / "images.npy", blocks(), rows, shape)
    if points:
        arrays["keypoints"] = np.concatenate(points)
    store.finish(folder, [shard], shape, arrays)


def _augmented(training: Store, policy: Policy, config: AugmentConfig) -> Iterator[Batch]:
    for copy in range(config.offline_copies):
        for at in range(0, len(training), _CHUNK):
            batch = training[np.arange(at, min(at + _CHUNK, len(training)))]
            yield policy(batch, batch_key(config.seed, copy + 1, at))
