"""What a folder, an archive or a table holds: cheap signs first, then the source itself has the last word.

A sign is a small function over the names of the files (and the beginning of some): it gives the options of
section `data` for one source, or nothing. The signs are tried from the most telling to the least; the first
whose source can list samples is taken.
"""

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from convoy.config.data import DataConfig
from convoy.data import opening, pixels
from convoy.data.files import Files, open_place
from convoy.data.sources._base import Scan
from convoy.errors import DataError
from convoy.scaffold import columns, tables
from convoy.scaffold.columns import Wishes

Options = dict[str, str]

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SIDES = {"train", "val", "valid", "validation", "test"}
_IDX = re.compile(r"(?:[a-z0-9]+-)?images[-.]idx3-ubyte(?:\.gz)?")
_LABEL_STUDIO = ("annotation_id", "annotator", "lead_time")
_HEAD = 1 << 20  # bytes of a JSON file that are looked at
_DEEPEST = 3  # folders with nothing but a folder in them that are entered
_FIX = "name a folder of class folders, a table (CSV, TSV, Parquet), an archive, or an export"


@dataclass(frozen=True)
class Found:
    """What lies there.

    Attributes:
        root: what `data.path` is to be: a folder or an archive.
        options: of section `data`, without path.
        scan: what the source lists; None for a table, whose pictures may lie elsewhere.
        said: what it is, in words.
    """

    root: Path
    options: Options
    scan: Scan | None
    said: str


@dataclass(frozen=True)
class Place:
    """What the user pointed at."""

    path: Path
    files: Files

    @cached_property
    def names(self) -> list[str]:
        return list(self.files.names())

    @cached_property
    def known(self) -> frozenset[str]:
        return frozenset(self.names)

    @property
    def tops(self) -> list[str]:
        """Files that lie at the top."""
        return [name for name in self.names if "/" not in name]

    @cached_property
    def pictures(self) -> list[str]:
        endings = pixels.extensions()
        return [name for name in self.names if posixpath.splitext(name)[1].lower() in endings]

    def read(self, name: str) -> bytes:
        return self.files.read(name)


Sign = Callable[[Place, Wishes], Options | None]


def recognise(path: Path, wishes: Wishes) -> Found:
    """Find out what lies at a path.

    Raises:
        ConfigError: a column that the user named is not there, or it is not clear which is the label.
        DataError: nothing that any source reads; the message says what was tried and why it was not that.
    """
    if not path.exists():
        raise DataError("there is nothing", where=str(path), fix=_FIX)
    refused: list[str] = []
    for root, options, said in _candidates(path, wishes, refused):
        if options["source"] == "table":  # its pictures were looked for
            return Found(root, options, None, said)
        try:
            data = DataConfig.model_validate({**options, "path": str(root)})
            scan = opening.scan(data)
        except ValidationError as error:
            refused.append(f"{said}: {error.errors()[0]['msg']}")
        except DataError as error:
            refused.append(
                f"{said}: {error.what} ({error.where})" if error.where else f"{said}: {error.what}"
            )
        else:
            if len(scan.samples):
                return Found(root, options, scan, said)
            refused.append(f"{said}: no samples")
    raise DataError(
        "nothing here that convoy can learn from" + "".join(f"\n    {line}" for line in refused[:20]),
        where=str(path),
        fix=_FIX,
    )


def _candidates(path: Path, wishes: Wishes, refused: list[str]) -> Iterator[tuple[Path, Options, str]]:
    """(root, options, in words), the most telling first."""
    if path.is_file() and not _is_archive(path):
        options = _of_file(path, wishes)
        if options is None:
            refused.append(f"{path.name} is no table, no archive, no export and no .npz file")
        else:
            root = path if options["source"] == "npz" else path.parent
            yield root, options, _said(options)
        return
    for _ in range(_DEEPEST):
        place = Place(path, open_place(path, _FIX))
        for sign in SIGNS:
            try:
                options = sign(place, wishes)
            except DataError as error:
                refused.append(f"{error.where or path.name}: {error.what}")
                continue
            if options is not None:
                yield path, options, _said(options)
        deeper = _only(place)
        if deeper is None:
            return
        path = deeper


def _of_file(path: Path, wishes: Wishes) -> Options | None:
    """The options for a single file, whose folder is the root."""
    name, suffix = path.name, path.suffix.lower()
    place = Place(path.parent, _Beside(path))
    if suffix == ".npz":
        return {"source": "npz"}
    if name in _METADATA:
        return _hf_imagefolder(place, wishes)
    if suffix == ".json":
        return _export(name, place.read(name)[:_HEAD], wishes)
    if tables.is_table(name):
        return _table_export(place, name) or _table(place, wishes, name)
    return None


class _Beside:
    """A file and, without listing them, the files that lie in its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path.parent)
        self.notes: list[str] = []

    def names(self) -> list[str]:
        return [self._path.name]

    def hidden(self) -> list[str]:
        return []

    def folders(self) -> list[str]:
        return []

    def read(self, name: str) -> bytes:
        try:
            return (self._path.parent / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"cannot read the file: {error.strerror}", where=name, fix="mend its permissions"
            ) from None

    def stamp(self, name: str) -> str | None:
        del name
        return None


def _npz(place: Place, _wishes: Wishes) -> Options | None:
    packed = [name for name in place.tops if name.lower().endswith(".npz")]
    return {"source": "npz"} if len(packed) == 1 and not place.pictures else None


def _named(place: Place, _wishes: Wishes) -> Options | None:
    """A set of torchvision's, laid as it lays them."""
    from convoy.data.sources._sets import SETS

    own = place.path.name
    found = []
    for name, known in SETS.items():
        first, _, rest = known.folder.partition("/")
        folders = [known.folder, *([rest] if first == own and rest else [])]
        wanted = [file for part in known.parts for file in (part.images, part.labels) if file]
        if any(all(_there(place, f"{folder}/{file}") for file in wanted) for folder in folders if folder):
            found.append(name)
    if len(found) > 1:
        raise DataError(
            f"several data sets: {', '.join(found)}", where=place.files.place, fix="name the folder of one"
        )
    return {"source": "named", "dataset": found[0]} if found else None


def _there(place: Place, name: str) -> bool:
    return name in place.known or f"{name}.gz" in place.known


def _idx(place: Place, _wishes: Wishes) -> Options | None:
    return {"source": "idx"} if any(_IDX.fullmatch(name) for name in place.tops) else None


def _hf_imagefolder(place: Place, wishes: Wishes) -> Options | None:
    """metadata.csv, .jsonl or .parquet with file_name, at the top or in the folders of the splits."""
    tables_there = [
        name
        for name in place.names
        if posixpath.basename(name) in _METADATA and (name.count("/") == 0 or _side(name))
    ]
    if not tables_there:
        return None
    name = tables_there[0]
    table = tables.read(place.files, name)
    if "file_name" not in table.columns:
        return None
    where = f"{place.files.place}/{name}"
    columns.check(wishes, [str(column) for column in table.columns], where)
    found = columns.options(table, "file_name", wishes, where)
    return {"source": "hf_imagefolder", **found}


def _side(name: str) -> bool:
    return name.count("/") == 1 and name.partition("/")[0].casefold() in _SIDES


def _exports(place: Place, wishes: Wishes) -> Options | None:
    """An export of Label Studio or annotations of COCO, at the top or one folder below."""
    for name in place.names:
        if name.lower().endswith(".json") and name.count("/") <= 1:
            options = _export(name, place.read(name)[:_HEAD], wishes)
            if options is not None:
                return options
    return None


def _export(name: str, head: bytes, wishes: Wishes) -> Options | None:
    words = head.decode("utf-8-sig", "replace").lstrip()
    if words.startswith("{") and all(f'"{key}"' in words for key in ("images", "annotations")):
        given = {key: value for key, value in wishes.given().items() if key in ("group_col", "time_col")}
        return {"source": "coco_keypoints", "table": name, **given}
    tasks = words.startswith("[") and re.search(
        r'"(?:annotations|completions|annotation_id|annotator)"', words
    )
    given = {"target": wishes.target} if wishes.target else {}
    return {"source": "label_studio", "table": name, **given} if tasks else None


def _table_export(place: Place, name: str) -> Options | None:
    """Label Studio's CSV tells itself by its columns; the label is the one that is none of its own."""
    table = tables.read(place.files, name)
    if not all(column in table.columns for column in _LABEL_STUDIO):
        return None
    return {"source": "label_studio", "table": name}


def _tables(place: Place, wishes: Wishes) -> Options | None:
    for name in place.tops:
        if tables.is_table(name) and name not in _METADATA:
            found = _table_export(place, name) or _table(place, wishes, name)
            if found is not None:
                return found
    return None


def _table(place: Place, wishes: Wishes, name: str) -> Options | None:
    table = tables.read(place.files, name)
    where = f"{place.files.place}/{name}"
    columns.check(wishes, [str(column) for column in table.columns], where)
    image = columns.image_column(table, lambda value: _exists(place, value), wishes)
    if image is None:
        return None
    return {
        "source": "table",
        "table": name,
        "image_col": image,
        **columns.options(table, image, wishes, where),
    }


def _exists(place: Place, value: str) -> bool:
    plain = posixpath.normpath(value.replace("\\", "/"))
    if plain in place.known:
        return True
    return place.path.is_dir() and located(place.path, value) is not None


def located(folder: Path, value: str) -> Path | None:
    """The file that a table means: beside the table, from where the command runs, or absolute."""
    try:
        return next(
            (
                path
                for base in (folder, Path.cwd())
                if (path := Path(os.path.normpath(base / value))).is_file()
            ),
            None,
        )
    except (OSError, ValueError):  # too long, or with a null character
        return None


def _image_folder(place: Place, _wishes: Wishes) -> Options | None:
    """Class folders; not a single folder that holds them all, which is entered."""
    tops = {name.partition("/")[0] for name in place.pictures}
    below = [name for name in place.pictures if "/" in name]
    if (
        len(tops) == 1
        and all(name.count("/") > 1 for name in below)
        and not _SIDES & {*map(str.casefold, tops)}
    ):
        if place.path.is_dir():
            return None
        raise DataError(
            f"all class folders lie in {tops.pop()}/ of the archive", where=place.files.place, fix="unpack it"
        )
    return {"source": "image_folder"} if below else None


# From the most telling to the least.
SIGNS: tuple[Sign, ...] = (_npz, _named, _idx, _hf_imagefolder, _exports, _tables, _image_folder)


def _only(place: Place) -> Path | None:
    """The one folder, or the one archive, that a folder holds besides files that say nothing."""
    if not place.path.is_dir():
        return None
    folders = [name for name in place.files.folders() if "/" not in name]
    archives = [name for name in place.tops if _is_archive(place.path / name)]
    inside = [*folders, *archives]
    return place.path / inside[0] if len(inside) == 1 else None


def _is_archive(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(
        (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tbz2", ".txz")
    )


def _said(options: Mapping[str, Any]) -> str:
    """In words."""
    words = {
        "image_folder": "class folders",
        "table": "a table of pictures",
        "hf_imagefolder": "a Hugging Face imagefolder",
        "label_studio": "an export of Label Studio",
        "coco_keypoints": "keypoints in COCO's format",
        "named": "the data set",
        "idx": "idx files",
        "npz": "arrays in an .npz file",
    }
    source = options["source"]
    name = options.get("table") or options.get("dataset")
    return (
        f"{words[source]} {name}"
        if source in ("named",)
        else f"{words[source]}" + (f" ({name})" if name else "")
    )
