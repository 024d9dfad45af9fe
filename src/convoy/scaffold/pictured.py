"""A table with the pictures that it names, wherever they lie."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from convoy.data.files.folder import Folder
from convoy.scaffold import tables
from convoy.scaffold.bring import Shipment
from convoy.scaffold.place import Found, located

_OUTSIDE = "pictures"  # folder for pictures that lie elsewhere than their table


def shipment(found: Found, *, whole: bool) -> Shipment | None:
    """A table with its pictures; None where all lie below the root and the root is wanted as a whole."""
    root, name, column = found.root, str(found.options["table"]), str(found.options["image_col"])
    table = tables.read(Folder(root), name)
    places = {value: located(root, value) for value in table[column].unique() if value.strip()}
    there = {value: place for value, place in places.items() if place is not None}
    missing = tuple(value for value, place in places.items() if place is None)
    plain = all(os.path.normpath(root / value) == str(place) for value, place in there.items())
    inside = all(
        place.is_relative_to(root) and not Path(value).is_absolute() for value, place in there.items()
    )
    if plain and inside:
        if whole:
            return None
        files = {PurePosixPath(os.path.normpath(value)).as_posix(): place for value, place in there.items()}
        return Shipment({**files, name: root / name}, missing=missing)
    names = _relative(root, there)
    table[column] = [names.get(value, value) for value in table[column]]
    files = {names[value]: place for value, place in there.items()}
    return Shipment(files, written={name: tables.write(table, name)}, missing=missing)


def _relative(root: Path, there: Mapping[str, Path]) -> dict[str, str]:
    """Path as the table says it -> the one that it gets."""
    outside = [place for place in there.values() if not place.is_relative_to(root)]
    inside = {place.relative_to(root).parts[0] for place in there.values() if place.is_relative_to(root)}
    common = Path(os.path.commonpath([place.parent for place in outside])) if outside else root
    folder = next(name for n in range(len(inside) + 1) if (name := _OUTSIDE + "-2" * n) not in inside)
    return {
        value: place.relative_to(root).as_posix()
        if place.is_relative_to(root)
        else f"{folder}/{place.relative_to(common).as_posix()}"
        for value, place in there.items()
    }
