"""Pictures: class folders, tables that name them, exports of annotation tools, arrays, archives of all these.

A sign is a small function over the names of the files (and the beginning of some): it gives the options of
section `data` for one source, or nothing.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from convoy.config.data import DataConfig
from convoy.data.sources._base import Reader, Scan
from convoy.errors import DataError
from convoy.proof import pins
from convoy.scaffold import columns, pictured, tables
from convoy.scaffold import sheet as sheets
from convoy.scaffold import survey as surveys
from convoy.scaffold.bring import Shipment
from convoy.scaffold.choices import Choices, choose
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import SIDES, Beside, Found, Options, Place, Sign, located
from convoy.scaffold.survey import Survey

__all__ = [
    "COLUMNS", "NOUN", "ORDER", "RECIPE", "SHEET", "SIGNS", "WANTED", "choose", "doubts", "fit", "of_file",
    "said", "selection", "sheet", "survey", "told",
]  # fmt: skip

ORDER = 0
NOUN = "pictures"
RECIPE = "image_folder"
SHEET = "contact_sheet.png"
WANTED = "a folder of class folders, a table (CSV, TSV, Parquet), an archive, or an export"
COLUMNS = ("image_col",)

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_IDX = re.compile(r"(?:[a-z0-9]+-)?images[-.]idx3-ubyte(?:\.gz)?")
_LABEL_STUDIO = ("annotation_id", "annotator", "lead_time")
_HEAD = 1 << 20  # bytes of a JSON file that are looked at
_EXPORTS = ("label_studio", "coco_keypoints", "hf_imagefolder")
_MAX_BAD = 0.05


def of_file(path: Path, wishes: Wishes) -> tuple[Path, Options] | None:
    """An .npz file is the data itself; of others the folder is the root."""
    options = _of_file(path, wishes)
    if options is None:
        return None
    return (path if options["source"] == "npz" else path.parent), options


def _of_file(path: Path, wishes: Wishes) -> Options | None:
    """The options for a single file, whose folder is the root."""
    name, suffix = path.name, path.suffix.lower()
    place = Place(path.parent, Beside(path))
    if suffix == ".npz":
        return {"source": "npz"}
    if name in _METADATA:
        return _hf_imagefolder(place, wishes)
    if suffix == ".json":
        return _export(name, place.read(name)[:_HEAD], wishes)
    if tables.is_table(name):
        return _table_export(place, name) or _table(place, wishes, name)
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
    return name.count("/") == 1 and name.partition("/")[0].casefold() in SIDES


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


def _image_folder(place: Place, _wishes: Wishes) -> Options | None:
    """Class folders; not a single folder that holds them all, which is entered."""
    tops = {name.partition("/")[0] for name in place.pictures}
    below = [name for name in place.pictures if "/" in name]
    if (
        len(tops) == 1
        and all(name.count("/") > 1 for name in below)
        and not SIDES & {*map(str.casefold, tops)}
    ):
        if place.path.is_dir():
            return None
        raise DataError(
            f"all class folders lie in {tops.pop()}/ of the archive", where=place.files.place, fix="unpack it"
        )
    return {"source": "image_folder"} if below else None


# From the most telling to the least.
SIGNS: tuple[Sign, ...] = (_npz, _named, _idx, _hf_imagefolder, _exports, _tables, _image_folder)


def said(options: Options) -> str:
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


def selection(found: Found, pointed: Path) -> Shipment | None:
    """Of a table or an export what it names."""
    if found.options["source"] == "table":
        return pictured.shipment(found, whole=pointed.is_dir())
    if pointed.is_file() and found.options["source"] in _EXPORTS and found.scan is not None:
        paths = dict.fromkeys([pointed.name, *found.scan.samples["path"]])
        return Shipment({name: found.root / name for name in paths if (found.root / name).is_file()})
    return None


def survey(data: DataConfig, scan: Scan, read: Reader) -> Survey:
    return surveys.survey(scan, read)


def sheet(scan: Scan, read: Reader, path: Path) -> Path:
    return sheets.contact_sheet(scan, read, path)


def fit(tree: Any, choices: Choices) -> None:
    """Put choices into the tree of params.yaml."""
    tree["validate"]["max_bad_fraction"] = _MAX_BAD
    tree["prepare"].update(height=choices.side, width=choices.side, channels=choices.channels)
    augment = tree["augment"]
    if choices.mirror:
        augment["transforms"].append(CommentedMap({"name": "HorizontalFlip", "p": 0.5}))
    if choices.preset is not None:
        augment.pop("preset", None)
        at = list(augment).index("transforms")
        said = "digits | photos | documents | medical_grey | null"
        augment.insert(at, "preset", choices.preset, comment=said)
        augment["transforms"] = []
    tree["model"]["blocks"] = [CommentedMap({"channels": count}) for count in choices.blocks]
    choices.fit(tree, patience=8)


def told(choices: Choices) -> str:
    kind = "grey" if choices.channels == 1 else "colour"
    return f"{choices.side} px, {kind}, {choices.epochs} epochs, {choices.duration}"


def doubts(data: DataConfig, seen: Survey) -> list[str]:
    found = []
    if seen.unreadable:
        names = list(seen.unreadable)
        found.append(f"{len(names):,} pictures of those looked at do not open: {pins.told(names)}")
    if seen.unlabelled:
        found.append(f"{seen.unlabelled:,} samples have no usable label or picture; `validate` names them")
    few = [str(name) for name, count in seen.counts["all"].items() if count < 3]
    if few and seen.task == "classification":
        found.append(f"fewer than 3 pictures, which `validate` refuses: {pins.told(few)}")
    if seen.task != "classification":
        found.append("these are keypoints: the stages up to `prepare` work, no model is trained on them yet")
    return found
