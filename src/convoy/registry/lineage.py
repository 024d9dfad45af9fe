"""From a sample to the models: "this photo must go: which versions learned from it?"."""

import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from convoy.data import manifest, pixels
from convoy.errors import ConfigError, IntegrityError
from convoy.gate import scoring
from convoy.layout import SPLIT
from convoy.registry import aliases, lookup, versions

_ID = re.compile(r"[0-9a-f]{4,32}")
_MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class Use:
    """A version that knows the sample.

    Attributes:
        learned: it was trained or chosen on it (train, val); else it was only tested on it.
    """

    name: str
    version: str
    aliases: list[str]
    split: str
    target: str
    learned: bool


@dataclass(frozen=True)
class Found:
    """What is known about a sample.

    Attributes:
        ids: of the sample; several where a prefix, or one picture read in two ways, names several.
        searched: how many versions were looked through.
        unreadable: versions whose samples cannot be trusted, with the reason: they may know it too.
    """

    wanted: str
    ids: list[str]
    uses: list[Use]
    searched: int
    unreadable: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def where(client: Any, wanted: str, root: Path | None, name: str | None = None) -> Found:
    """Every version that knows a sample, of all models or of one.

    Args:
        wanted: an id or the beginning of one (four digits or more), a picture file, or the path that the
            sample table gives.
        root: of the project whose sample table is asked; None outside of one.

    Raises:
        ConfigError: it names no sample, or a beginning names several.
    """
    ids = _content_ids(Path(wanted)) or _by_path(root, wanted)
    prefix = None if ids else _prefix(wanted)
    names = [name] if name else lookup.model_names(client)
    rows: list[tuple[Any, list[str], pd.DataFrame]] = []
    unreadable: list[str] = []
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        for each in names:
            lookup.registered_model(client, each)
            named = aliases.current(client, each)
            for version in sorted(
                client.search_model_versions(f"name = '{each}'"), key=lambda v: int(v.version)
            ):
                own = sorted(alias for alias, number in named.items() if number == str(version.version))
                try:
                    bundle = versions.fetch(client, version, Path(scratch))
                    rows.append((version, own, pd.read_parquet(bundle / manifest.FILE)))
                except (IntegrityError, OSError, ValueError) as error:
                    said = error.what if isinstance(error, IntegrityError) else str(error)
                    unreadable.append(f"{each} version {version.version}: {said}")
    if prefix is not None:
        ids = _complete(prefix, rows)
    return Found(wanted, sorted(ids), _uses(set(ids), rows), len(rows), unreadable)


def _uses(ids: set[str], rows: list[tuple[Any, list[str], pd.DataFrame]]) -> list[Use]:
    found = []
    for version, named, samples in rows:
        for row in samples[samples["id"].isin(ids)].to_dict("records"):
            split = str(row["split"])
            found.append(
                Use(
                    version.name, str(version.version), named, split, str(row["target"]),
                    split in scoring.LEARNED,
                )
            )  # fmt: skip
    return found


def _content_ids(path: Path) -> list[str]:
    """The ids that a picture file may have: of its bytes and, in packed data sets, of its pixels."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    found = [manifest.content_id(content)]
    for channels in (1, 3):
        try:
            image = pixels.decode(content, channels, _MAX_PIXELS)
        except pixels.UndecodableImage:
            break
        found += [manifest.content_id(image), manifest.content_id(image.squeeze())]
    return sorted(set(found))


def _by_path(root: Path | None, wanted: str) -> list[str]:
    """The ids of the project's samples that lie at a path of the sample table."""
    if root is None or not (root / SPLIT / manifest.FILE).is_file():
        return []
    samples = manifest.read(root / SPLIT)
    return sorted(set(samples.loc[samples["path"] == wanted, "id"]))


def _prefix(wanted: str) -> str:
    if _ID.fullmatch(wanted) is None:
        raise ConfigError(
            f"{wanted!r} names no sample: no such file, no such path in the sample table, no id",
            fix="give a picture file, a path as artifacts/split/samples.parquet has it, or 4 digits of an id",
        )
    return wanted


def _complete(prefix: str, rows: list[tuple[Any, list[str], pd.DataFrame]]) -> list[str]:
    found = {
        str(sample) for *_, samples in rows for sample in samples["id"] if str(sample).startswith(prefix)
    }
    if len(found) > 1:
        shown = ", ".join(sorted(found)[:3])
        raise ConfigError(
            f"{len(found)} samples begin with {prefix!r}: {shown} …", fix="write more of the id"
        )
    return sorted(found)
