"""The code of a project that holds none: `code/<stage>.json` names the files of the installed convoy.

    {"stage": "split", "files": {"convoy/data/split.py": "<sha256>", …}}

DVC sees these files as the stage's code; git versions them with the project; `convoy.pipeline.code` writes
them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import convoy
from convoy.errors import IntegrityError
from convoy.io import read_json, sha256_file

FOLDER = Path("code")

_PACKAGE = Path(convoy.__file__).parent
_SHOWN = 5


def file(stage: str) -> Path:
    """Of a stage's pins, below the project's root."""
    return FOLDER / f"{stage}.json"


def read(project: Path) -> dict[str, dict[str, str]]:
    """Stage -> file of convoy ("convoy/io.py") -> sha256; empty for a project with code of its own.

    Raises:
        IntegrityError: a file is not what convoy writes.
    """
    return {path.stem: _files(path) for path in sorted((project / FOLDER).glob("*.json"))}


def installed(name: str) -> str:
    """sha256 of a file of the installed convoy by its name ("convoy/io.py"); empty where there is none."""
    path = _PACKAGE.parent / name
    inside = path.resolve().is_relative_to(_PACKAGE.resolve())
    return sha256_file(path) if inside and path.is_file() else ""


def differences(project: Path) -> dict[str, list[str]]:
    """Stage -> pinned files that the installed convoy has otherwise or not at all; only such stages."""
    known: dict[str, str] = {}
    found = {}
    for stage, files in read(project).items():
        other = [name for name, digest in files.items() if _looked_up(name, known) != digest]
        if other:
            found[stage] = other
    return found


def told(files: list[str]) -> str:
    """The first names and how many there are besides."""
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more


def _looked_up(name: str, known: dict[str, str]) -> str:
    if name not in known:
        known[name] = installed(name)
    return known[name]


def _files(path: Path) -> dict[str, str]:
    try:
        files = read_json(path)["files"]
        if isinstance(files, Mapping):
            return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, LookupError, TypeError):
        pass
    raise IntegrityError(
        "the file does not pin the code of a stage",
        where=str(path),
        fix="`convoy init --refresh` writes it anew",
    )
