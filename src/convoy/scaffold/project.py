"""A new project: data, parameters, graph, flow, pins, repositories; all of it, or nothing is left behind."""

import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy import environment
from convoy.config.data import DataConfig
from convoy.config.load import load
from convoy.data import opening
from convoy.data.sources._base import Scan
from convoy.errors import ConfigError, DataError
from convoy.layout import PARAMS, STATE
from convoy.proof import pins
from convoy.scaffold import bring, modalities, originals, parameters, versioning
from convoy.scaffold.columns import Wishes
from convoy.scaffold.modalities import Chosen, Part
from convoy.scaffold.place import Found
from convoy.scaffold.recognise import recognise
from convoy.scaffold.survey import Seen

Say = Callable[[str], None]

_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Made:
    """What came of it.

    Attributes:
        path: of the data, relative to the project.
        in_place: the data stay where they were.
        choices: None where a recipe was asked for.
        files: written, relative to the project, for git.
        committed: whether convoy made the repository and the first commit.
        notes: what the user should know.
    """

    project: Path
    name: str
    found: Found
    seen: Seen
    path: str
    in_place: bool
    choices: Chosen | None
    files: tuple[str, ...]
    committed: bool
    notes: tuple[str, ...]

    @property
    def source(self) -> str:
        return str(self.found.options["source"])

    @property
    def part(self) -> Part:
        return modalities.part(self.found.modality)

    @property
    def sheet(self) -> Path:
        """Some samples of each class, relative to the project."""
        return STATE / self.part.SHEET

    def as_dict(self) -> dict[str, Any]:
        counts = self.seen.counts
        return {
            "project": str(self.project),
            "name": self.name,
            "data": {"modality": self.found.modality, **self.found.options, "path": self.path},
            "recognised": self.found.said,
            "task": self.seen.task,
            "samples": self.seen.samples,
            self.part.NOUN: self.seen.samples,
            "classes": {
                str(name): {side: int(row[side]) for side in counts.columns}
                for name, row in counts.iterrows()
            },
            "chosen": self.part.told(self.choices) if self.choices else None,
            "minutes": self.choices.minutes if self.choices else None,
            "contact_sheet": self.sheet.as_posix(),
            "files": list(self.files),
            "committed": self.committed,
            "notes": list(self.notes),
        }


def create(
    pointed: Path,
    into: Path,
    *,
    wishes: Wishes,
    name: str | None = None,
    recipe: str | None = None,
    in_place: bool | None = None,
    git: bool = True,
    command: str = "convoy init",
    say: Say = lambda _text: None,
) -> Made:
    """Make a project from data.

    Args:
        pointed: the data: a folder, an archive, a table.
        into: the project's folder, made where it is missing.
        in_place: leave the data where they lie, which must be inside of the project; None: where they do.
        git: whether to make a git repository where there is none around.
        command: for the header of params.yaml.
        say: receives progress.

    Raises:
        ConfigError: there is a project already, the data lie around it, or an option does not fit.
        DataError: the data are nothing that a source reads.
        ResourceError: no space, or git or DVC failed.
    """
    pointed, into = pointed.resolve(), into.resolve()
    _refuse(into)
    base = parameters.recipe(recipe) if recipe is not None else None
    with _undone_if_failed(into) as own:
        found = recognise(pointed, wishes)
        part = modalities.part(found.modality)
        say(f"{pointed.name}: {found.said}")
        name = _name(name, pointed, part.NOUN)
        stays = _stays(found, pointed, into, in_place)
        what = None if stays else bring.shipment(found, pointed)
        path = found.root.relative_to(into).as_posix() if stays else _target(name, found)
        if what is not None:
            say(f"bringing {len(what.files) + len(what.written):,} files to {path}")
            own(into / path)
            bring.bring(what, into / path)
        options = {"modality": found.modality, **found.options}
        data = DataConfig.model_validate({**options, "path": path})
        seen, scan = _look(into, data, part)
        part.sheet(scan, opening.reader(data, into), into / STATE / part.SHEET)
        choices = part.choose(seen) if recipe is None else None
        params = parameters.text(
            base or parameters.recipe(part.RECIPE),
            header=_header(command, found, seen, choices),
            name=name,
            path=path,
            options=options,
            choices=choices,
            modality=found.modality,
        )
        files = originals.lay(into, params, own)
        load(into / PARAMS)
        ignored = _untracked_originals(pointed, what, into) if what is not None else []
        if ignored:
            originals.append(into / ".gitignore", ignored, own)
        committed, notes = _version(
            into, path, files, own, git=git, message=f"convoy init: {name}, {_counted(found, seen)}"
        )
    told = [*scan.notes]
    if what is not None and what.missing:
        told.append(
            f"{len(what.missing):,} {part.NOUN} of the table do not exist: {pins.told(list(what.missing))}"
        )
    told += [*part.doubts(data, seen), *notes]
    return Made(
        into, name, found, seen, path, stays, choices, tuple(sorted(files)), committed, tuple(told)
    )  # fmt: skip


def _refuse(into: Path) -> None:
    if (into / PARAMS).exists():
        raise ConfigError(
            "there is a project already", where=str(into / PARAMS), fix="choose another folder: --into FOLDER"
        )
    there = [name for name in ("dvc.yaml", *originals.COPIED) if (into / name).exists()]
    if there:
        raise ConfigError(
            f"these files are there already: {', '.join(there)}",
            where=str(into),
            fix="choose another folder: --into FOLDER",
        )


def _stays(found: Found, pointed: Path, into: Path, asked: bool | None) -> bool:
    """Whether the data can and should stay where they lie.

    Raises:
        ConfigError: the project would lie inside of the data, or data outside of it were to stay.
    """
    inside = found.root != into and found.root.is_relative_to(into)
    if pointed.is_dir() and into.is_relative_to(pointed):
        raise ConfigError(
            "the project would lie inside of its data",
            where=str(into),
            fix="run it elsewhere, or --into FOLDER",
        )
    if asked and not inside:
        raise ConfigError(
            "only data inside of the project can stay where they are",
            where=str(found.root),
            fix="leave out --in-place: the data are copied to data/raw",
        )
    if not inside or asked is False:
        return False
    what = bring.shipment(found, pointed)
    return not what.written  # a table that had to be changed is a copy


def _target(name: str, found: Found) -> str:
    """Where the data go: archives and arrays keep their endings."""
    ending = "".join(found.root.suffixes[-2:]) if found.root.is_file() else ""
    if ending and found.root.suffixes[-2:-1] != [".tar"]:
        ending = found.root.suffix
    return (bring.RAW / f"{name}{ending.lower()}").as_posix()


def _look(into: Path, data: DataConfig, part: Part) -> tuple[Seen, Scan]:
    scan = opening.scan(data, into)
    seen = part.survey(data, scan, opening.reader(data, into))
    if not seen.samples:
        problem = scan.samples["problem"].dropna().iloc[0] if "problem" in scan.samples else "no labels"
        raise DataError(
            f"no sample can be used: {problem}", where=data.path, fix="mend the table or its paths"
        )
    return seen, scan


def _name(given: str | None, pointed: Path, otherwise: str = "pictures") -> str:
    """The model's name, from that of the data where none is given.

    Raises:
        ConfigError: MLflow takes no such name.
    """
    if given is not None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", given):
            raise ConfigError(
                f"{given!r} cannot be the name of a model",
                where="--name",
                fix="use letters, digits, _ . and -",
            )
        return given
    stem = pointed.name if pointed.is_dir() else pointed.name.partition(".")[0]
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return _NAME.sub("-", plain).strip("-_.") or otherwise


def _header(command: str, found: Found, seen: Seen, choices: Chosen | None) -> str:
    cost = f"{choices.duration} on 2 CPU cores" if choices else "as the recipe says, for its own data"
    return "\n".join(
        [
            f"Made by: {command}   ({found.said}: {_counted(found, seen)})",
            "command:  convoy run",
            f"cost:     {cost}",
            "expected: unknown; the first run tells",
            "Every key is checked before anything runs; `convoy config schema` describes them.",
        ]
    )


def _untracked_originals(pointed: Path, what: bring.Shipment, into: Path) -> list[str]:
    """What of the original data git would see in the project, where a copy of them is tracked now."""
    inside = pointed.is_relative_to(into)
    if pointed.is_dir():
        return [f"/{pointed.relative_to(into).as_posix()}/"] if inside else []
    around = pointed.parent
    sources = (
        [pointed, *(path for path in what.files.values() if path.is_relative_to(around))] if inside else []
    )
    found = dict.fromkeys(around / path.relative_to(around).parts[0] for path in sources)
    return [f"/{path.relative_to(into).as_posix()}{'/' if path.is_dir() else ''}" for path in found]


def _version(
    into: Path, path: str, files: list[str], own: Callable[[Path], None], *, git: bool, message: str
) -> tuple[bool, list[str]]:
    """Repositories, the data into DVC, the first commit; (whether committed, notes)."""
    environment.quiet()
    notes = []
    around = versioning.repository(into)
    fresh = git and around is None and versioning.has_git()
    if fresh:
        own(into / ".git")
        versioning.init_git(into)
    elif around is None:
        notes.append("no git repository: models cannot be proven, so the gate promotes none")
    own(into / ".dvc")
    versioning.init_dvc(into, originals.text(".dvc/config"))
    own(into / f"{path}.dvc")
    own((into / path).with_name(".gitignore"))
    tracked = [file.relative_to(into).as_posix() for file in versioning.track(into, path)]
    hidden = [name for name in (".dvc/config", ".dvc/.gitignore") if (into / name).is_file()]
    files += [name for name in [*tracked, *hidden] if name not in files]
    if fresh:
        told = versioning.commit(into, [into / name for name in files], message)
        notes += [told] if told else []
    elif around is not None:
        notes.append(
            "commit the new files before `convoy run`: from an uncommitted tree no model is promoted"
        )
    return fresh, notes


def _counted(found: Found, seen: Seen) -> str:
    return f"{seen.samples:,} {modalities.part(found.modality).NOUN} in {len(seen.counts)} classes"


@contextmanager
def _undone_if_failed(into: Path) -> Iterator[Callable[[Path], None]]:
    """Yields a function for paths about to be made or changed; after an error they are as they were."""
    before: dict[Path, bytes | None] = {}
    made: list[Path] = []
    above = next(folder for folder in (into, *into.parents) if folder.exists())

    def own(path: Path) -> None:
        if path in before or path in made:
            return
        if path.is_file():
            before[path] = path.read_bytes()
        elif not path.exists():
            made.append(path)

    try:
        into.mkdir(parents=True, exist_ok=True)
        own(into / STATE)
        yield own
    except BaseException:
        for path in reversed(made):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for path, content in before.items():
            if content is not None:
                path.write_bytes(content)
        _remove_empty([into / "data" / "raw", into / "data", into / "flows"], above)
        _remove_empty([into, *into.parents], above)
        raise


def _remove_empty(folders: list[Path], above: Path) -> None:
    for folder in folders:
        if folder.is_dir() and folder != above and folder.is_relative_to(above) and not any(folder.iterdir()):
            folder.rmdir()
