"""Installed packages against the ranges that convoy declares: pyproject.toml is the one place of floors."""

import sys
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from convoy.stack.doctor.finding import Finding

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_EXTRAS = {"pipeline": True, "serve": True, "team": False}  # whether a project's machine needs it


def look() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        declared = metadata.requires("convoy") or []
        version = metadata.version("convoy")
    except metadata.PackageNotFoundError:
        yield Finding(
            "versions", "note", f"Python {python}; convoy is not installed as a package, so no range is known"
        )
        return
    yield Finding("versions", "ok", f"convoy {version}, Python {python}")
    good = 0
    for name, wanted, extra in _requirements(declared):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            needed = _EXTRAS.get(extra, True)
            yield Finding(
                "versions",
                "broken" if needed else "note",
                f"{name} is not installed" + ("" if needed else f" (extra {extra})"),
                f'pip install "convoy[{extra}]"' if extra else "install convoy again",
            )
            continue
        if wanted.contains(found, prereleases=True):
            good += 1
        else:
            yield Finding(
                "versions", "broken", f"{name} {found} is not {wanted}", f'pip install "{name}{wanted}"'
            )
    yield Finding("versions", "ok", f"{good} packages are in the ranges that convoy declares")


def _requirements(declared: list[str]) -> "Iterator[tuple[str, SpecifierSet, str]]":
    """Name, range and extra ("" for the base) of each requirement that counts here."""
    from packaging.requirements import Requirement

    for line in declared:
        requirement = Requirement(line)
        if requirement.name == "convoy":  # an extra that includes another
            continue
        for extra in ("", *_EXTRAS):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                yield requirement.name, requirement.specifier, extra
                break
