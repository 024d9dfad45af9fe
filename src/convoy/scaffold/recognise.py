"""What a folder, an archive or a table holds: cheap signs first, then the source itself has the last word.

The signs are those of the modalities' parts (`convoy.scaffold.modalities`), tried from the most telling to
the least; the first whose source can list samples is taken.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from convoy.config.data import DataConfig
from convoy.data import opening
from convoy.data.files import open_place
from convoy.errors import DataError
from convoy.scaffold import modalities
from convoy.scaffold.columns import Wishes
from convoy.scaffold.modalities import Part
from convoy.scaffold.place import Found, Options, Place, is_archive

_DEEPEST = 3  # folders with nothing but a folder in them that are entered
_FIX = "name a folder, a table, an archive or an export"


def recognise(path: Path, wishes: Wishes) -> Found:
    """Find out what lies at a path.

    Raises:
        ConfigError: a column that the user named is not there, or it is not clear which is the label.
        DataError: nothing that any source reads; the message says what was tried and why it was not that.
    """
    if not path.exists():
        raise DataError("there is nothing", where=str(path), fix="name what is there")
    refused: list[str] = []
    parts = modalities.asked(wishes)
    for modality, root, options in _candidates(path, parts, wishes, refused):
        said = modalities.part(modality).said(options)
        if options["source"] == "table":  # its pictures were looked for
            return Found(root, options, None, said, modality)
        try:
            data = DataConfig.model_validate({"modality": modality, **options, "path": str(root)})
            scan = opening.scan(data)
        except ValidationError as error:
            refused.append(f"{said}: {error.errors()[0]['msg']}")
        except DataError as error:
            refused.append(
                f"{said}: {error.what} ({error.where})" if error.where else f"{said}: {error.what}"
            )
        else:
            if len(scan.samples):
                return Found(root, options, scan, said, modality)
            refused.append(f"{said}: no samples")
    raise DataError(
        "nothing here that convoy can learn from" + "".join(f"\n    {line}" for line in refused[:20]),
        where=str(path),
        fix="name " + ", or ".join(part.WANTED for _, part in parts),
    )


def _candidates(
    path: Path, parts: Sequence[tuple[str, Part]], wishes: Wishes, refused: list[str]
) -> Iterator[tuple[str, Path, Options]]:
    """(modality, root, options), the most telling first."""
    if path.is_file() and not is_archive(path):
        yield from _of_file(path, parts, wishes, refused)
        return
    for _ in range(_DEEPEST):
        place = Place(path, open_place(path, _FIX))
        for modality, part in parts:
            for sign in part.SIGNS:
                try:
                    options = sign(place, wishes)
                except DataError as error:
                    refused.append(f"{error.where or path.name}: {error.what}")
                    continue
                if options is not None:
                    yield modality, path, options
        deeper = _only(place)
        if deeper is None:
            return
        path = deeper


def _of_file(
    path: Path, parts: Sequence[tuple[str, Part]], wishes: Wishes, refused: list[str]
) -> Iterator[tuple[str, Path, Options]]:
    errors = []
    for modality, part in parts:
        try:
            found = part.of_file(path, wishes)
        except DataError as error:
            errors.append(error)
            continue
        if found is not None:
            yield modality, *found
    if errors and not refused:
        raise errors[-1]
    if not refused:
        refused.append(f"{path.name} is no table, no archive, no export and no .npz file")


def _only(place: Place) -> Path | None:
    """The one folder, or the one archive, that a folder holds besides files that say nothing."""
    if not place.path.is_dir():
        return None
    folders = [name for name in place.files.folders() if "/" not in name]
    archives = [name for name in place.tops if is_archive(place.path / name)]
    inside = [*folders, *archives]
    return place.path / inside[0] if len(inside) == 1 else None
