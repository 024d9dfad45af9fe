"""What is inside a bundle, for those who only read it: no torch, no MLflow."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convoy.errors import IntegrityError
from convoy.io import read_json, sha256_bytes, sha256_file
from convoy.serving.predictor import FORMAT

SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it; bundles made before it was introduced have none
FILES = (
    "bundle.json", "model.onnx", "model.safetensors", "model_card.md", "samples.parquet", "requirements.txt",
    "golden/golden.json", "code/predictor.py", "code/pyfunc.py",
)  # fmt: skip

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def info(bundle: Path) -> dict[str, Any]:
    """The content of bundle.json of a complete bundle.

    Raises:
        IntegrityError: a file is missing, or the bundle is of another format.
    """
    missing = [name for name in FILES if not (bundle / name).is_file()]
    if missing:
        raise IntegrityError(
            f"the bundle is not complete: {', '.join(missing)} missing",
            where=str(bundle),
            fix="run `convoy run`, or `dvc repro package`",
        )
    found = read_json(bundle / "bundle.json")
    if found.get("version") != FORMAT:
        raise IntegrityError(
            f"the bundle is of format {found.get('version')}, this convoy reads {FORMAT}", where=str(bundle)
        )
    return dict(found)


def files(bundle: Path) -> dict[str, Path]:
    """Relative posix path -> path of all files in path order, without the bytecode of the bundle's code."""
    return {
        path.relative_to(bundle).as_posix(): path
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def sha256s(bundle: Path) -> dict[str, str]:
    """Relative posix path -> sha256 of all files."""
    return {name: sha256_file(path) for name, path in files(bundle).items()}


def digest(bundle: Path) -> str:
    """The bundle's name: io.sha256_tree of its files, without the bytecode that running its code leaves."""
    return name_of(sha256s(bundle))


def name_of(sums: Mapping[str, str]) -> str:
    """The digest of a bundle whose files have these sha256, in path order."""
    return sha256_bytes("".join(f"{value}  {name}\n" for name, value in sums.items()).encode("utf-8"))


def render_sums(sums: Mapping[str, str]) -> str:
    """The text of SHA256SUMS."""
    return "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))


def recorded_sums(bundle: Path) -> dict[str, str] | None:
    """What SHA256SUMS says; None where the bundle has no such file.

    Raises:
        IntegrityError: the file is damaged.
    """
    path = bundle / SUMS
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [_LINE.fullmatch(line) for line in lines]
    if not matches or None in matches:
        raise IntegrityError("the list of checksums is damaged", where=str(path), fix=_FIX)
    return {match[2]: match[1] for match in matches if match is not None}


def altered(bundle: Path, found: Mapping[str, str] | None = None) -> list[str]:
    """What differs from SHA256SUMS, in words that begin with the file's name; empty where there is none.

    Args:
        found: `sha256s` of the bundle, where they are known already.
    """
    try:
        recorded = recorded_sums(bundle)
    except IntegrityError as error:
        return [f"{SUMS}: {error.what}"]
    if recorded is None:
        return []
    present = dict(found if found is not None else sha256s(bundle))
    present.pop(SUMS, None)
    return [
        *(f"{name} is missing" for name in sorted(recorded.keys() - present.keys())),
        *(f"{name} does not belong to it" for name in sorted(present.keys() - recorded.keys())),
        *(
            f"{name} was altered"
            for name in sorted(recorded.keys() & present.keys())
            if recorded[name] != present[name]
        ),
    ]


def leaving(bundle: Path) -> list[str]:
    """Names of links inside the bundle that lead out of it."""
    inside = os.path.realpath(bundle)
    return [
        path.relative_to(bundle).as_posix()
        for path in sorted(bundle.rglob("*"))
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside)
    ]


def check(bundle: Path) -> None:
    """Compare the files with SHA256SUMS, where the bundle has one. Nothing of the bundle is loaded or run.

    Raises:
        IntegrityError: a file was altered, is missing or does not belong to the bundle, or a link leads out.
    """
    links = leaving(bundle)
    if links:
        raise IntegrityError(
            f"the bundle holds a link that leads out of it: {', '.join(links)}", where=str(bundle), fix=_FIX
        )
    problems = altered(bundle)
    if problems:
        raise IntegrityError(
            f"the bundle is not as it was made: {', '.join(problems)}",
            where=str(bundle / problems[0].partition(" ")[0].rstrip(":")),
            fix=_FIX,
        )


_FIX = "take the bundle from the registry again, or rebuild it (`convoy run`)"
