"""Stage `augment`: the policy checked against the data, a picture of it, copies on disk when asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.config.augment import AugmentConfig
from convoy.data import presets, shards, store
from convoy.data.augment import Batch, Policy
from convoy.data.loader import batch_key
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.io import dump_json, fresh_dir, sha256_bytes, write_bytes, write_json
from convoy.layout import AUGMENT, PREPARE

if TYPE_CHECKING:
    from convoy.config.schema import Config

Images = NDArray[np.uint8]

_ROWS, _VARIANTS = 8, 7
_TILE = 96  # least pixels of a tile's longer side
_CHUNK = 256


def augment(prepared: Path, config: AugmentConfig, out: Path) -> None:
    """Write preview.png, with `offline_copies` the store train/, and, last, policy.json into `out`.

    Raises:
        ConfigError: albumentations refuses the policy, or it changes the images' size.
    """
    record = policy_record(config)
    policy = Policy(record["transforms"])
    training = Store.open(prepared / "train")
    fresh_dir(out)
    write_bytes(out / "preview.png", _png(_preview(training, policy, Mixing.of(record), config.seed)))
    if config.offline_copies:
        _copies(training, policy, config, out / "train")
    write_json(out / "policy.json", record)


def policy_record(config: AugmentConfig) -> dict[str, Any]:
    """What policy.json holds: the section with its preset written out, and the digest of what it does.

    The preset's name is no part of the digest: the same transforms, listed by hand, are the same policy.
    """
    policy = {
        "online": config.online,
        "offline_copies": config.offline_copies,
        "seed": config.seed,
        "transforms": presets.transforms(config),
        "mixup": config.mixup.model_dump() if config.mixup else None,
        "cutmix": config.cutmix.model_dump() if config.cutmix else None,
    }
    digest = sha256_bytes(dump_json(policy).encode("utf-8"))
    return {**policy, "preset": config.preset, "digest": digest}


def _preview(training: Store, policy: Policy, mixing: Mixing | None, seed: int) -> Images:
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


def _copies(training: Store, policy: Policy, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    rows, shape = len(training) * config.offline_copies, training.images.shape[1:]
    arrays = {
        "target": np.tile(training.target, config.offline_copies),
        "id": np.tile(training.id, config.offline_copies),
    }
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


def main(config: "Config") -> None:
    augment(PREPARE, config.augment, AUGMENT)
