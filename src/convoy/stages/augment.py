"""Stage `augment`: the policy checked against the data, a look at what it does, copies on disk if wanted."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy import plugins
from convoy.config.augment import AugmentConfig
from convoy.data import policies
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.io import dump_json, fresh_dir, read_json, sha256_bytes, write_json
from convoy.layout import AUGMENT, PREPARE

if TYPE_CHECKING:
    from convoy.config.schema import Config


def augment(prepared: Path, config: AugmentConfig, out: Path) -> None:
    """Write the modality's preview, with `offline_copies` the store train/, and, last, policy.json.

    Raises:
        ConfigError: the policy is refused, or does not fit the data.
    """
    preprocessor = read_json(prepared / "preprocessor.json")
    augmenting = plugins.load("augmenting", preprocessor["modality"])
    record = policy_record(config, augmenting.transforms(config))
    policy = policies.of(preprocessor, record["transforms"])
    training = Store.open(prepared / "train")
    fresh_dir(out)
    augmenting.preview(training, policy, Mixing.of(record), config.seed, out)
    if config.offline_copies:
        augmenting.copies(training, policy, config, out / "train")
    write_json(out / "policy.json", record)


def policy_record(config: AugmentConfig, transforms: list[dict[str, Any]]) -> dict[str, Any]:
    """What policy.json holds: the section with its preset written out, and the digest of what it does.

    The preset's name is no part of the digest: the same transforms, listed by hand, are the same policy.
    """
    policy = {
        "online": config.online,
        "offline_copies": config.offline_copies,
        "seed": config.seed,
        "transforms": transforms,
        "mixup": config.mixup.model_dump() if config.mixup else None,
        "cutmix": config.cutmix.model_dump() if config.cutmix else None,
    }
    digest = sha256_bytes(dump_json(policy).encode("utf-8"))
    return {**policy, "preset": config.preset, "digest": digest}


def main(config: "Config") -> None:
    augment(PREPARE, config.augment, AUGMENT)
