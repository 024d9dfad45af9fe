"""Stage `augment`: the policy checked against the data, a picture of it, copies on disk when asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.config.augment import AugmentConfig
from convoy.data import store
from convoy.data.augment import Policy
from convoy.data.loader import batch_key
from convoy.data.store import Store
from convoy.io import fresh_dir, write_bytes, write_json
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
    transforms = [{"name": step.name, **step.arguments()} for step in config.transforms]
    policy = Policy(transforms)
    training = Store.open(prepared / "train")
    fresh_dir(out)
    write_bytes(out / "preview.png", _png(_preview(training, policy, config.seed)))
    if config.offline_copies:
        _copies(training, policy, config, out / "train")
    write_json(
        out / "policy.json",
        {
            "online": config.online,
            "offline_copies": config.offline_copies,
            "seed": config.seed,
            "transforms": transforms,
        },
    )


def _preview(training: Store, policy: Policy, seed: int) -> Images:
    """One row a sample: the original left, augmented variants right. (H, W, C)."""
    chosen = np.linspace(0, len(training) - 1, min(_ROWS, len(training))).astype(np.int64)
    originals = training.images[chosen]
    columns = [originals] + [policy(originals, batch_key(seed, 0, n)) for n in range(_VARIANTS)]
    scale = max(1, -(-_TILE // max(originals.shape[1:3])))
    tiles = np.stack(columns, axis=1).repeat(scale, axis=2).repeat(scale, axis=3)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
    rows, across, height, width, channels = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, across * width, channels)


def _png(image: Images) -> bytes:
    done, encoded = cv2.imencode(".png", image[:, :, ::-1] if image.shape[2] == 3 else image)
    assert done
    return encoded.tobytes()


def _copies(training: Store, policy: Policy, config: AugmentConfig, folder: Path) -> None:
    """`offline_copies` augmented versions of every training sample, in the same order, copy by copy."""
    count = len(training)
    copies = store.create(folder, count * config.offline_copies, training.images.shape[1:])
    for copy in range(config.offline_copies):
        for at in range(0, count, _CHUNK):
            batch = training[np.arange(at, min(at + _CHUNK, count))]
            batch["images"] = policy(batch["images"], batch_key(config.seed, copy + 1, at))
            rows = slice(copy * count + at, copy * count + at + len(batch["target"]))
            copies.images[rows], copies.target[rows], copies.id[rows] = (
                batch["images"], batch["target"], batch["id"],
            )  # fmt: skip
    copies.finish()


def main(config: "Config") -> None:
    augment(PREPARE, config.augment, AUGMENT)
