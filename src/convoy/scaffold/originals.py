"""The files of a project that are convoy's own: laid at the start, brought up to date by a refresh."""

from collections.abc import Callable
from pathlib import Path

from convoy.errors import ConfigError
from convoy.io import write_text
from convoy.layout import PARAMS
from convoy.pipeline import code
from convoy.proof import pins
from convoy.scaffold import parameters, versioning

COPIED = (
    "flows/monitor.py", "flows/pipeline.py", "flows/scheduled.py", "prefect.yaml", "requirements.lock",
)  # fmt: skip

_KEPT = "prefect.yaml"  # schedules are the user's
_FIXES = "data/fixes.csv"
_LINES = (".gitignore", ".dvcignore")  # files that may be there already, and get the lines that they lack


def lay(into: Path, params: str, own: Callable[[Path], None]) -> list[str]:
    """Write them, params.yaml and the pins; everything but data.

    Args:
        params: text of params.yaml.
        own: is told of each path before it is written.

    Returns:
        Names of the files, relative to the project.
    """
    wanted = {
        **{name: text(name) for name in COPIED},
        "dvc.yaml": code.graph_text(),
        _FIXES: text(_FIXES).partition("\n")[0] + "\n",
        PARAMS.as_posix(): params,
    }
    for name, content in wanted.items():
        own(into / name)
        write_text(into / name, content)
    for name in _LINES:
        append(into / name, text(name).splitlines(), own)
    own(into / pins.FOLDER)
    stages = code.refresh(into)
    return [*wanted, *_LINES, *(pins.file(stage).as_posix() for stage in stages)]


def append(file: Path, lines: list[str], own: Callable[[Path], None]) -> None:
    """Add the lines that a file lacks."""
    own(file)
    before = _content(file) or ""
    missing = [line for line in lines if line not in before.splitlines()]
    if missing:
        gap = "" if not before or before.endswith("\n") else "\n"
        write_text(file, before + gap + "".join(f"{line}\n" for line in missing))


def refresh(root: Path) -> list[str]:
    """Bring an initialised project up to the installed convoy: its graph, its flow, the pins of its code.

    params.yaml gets what older ones lack: the modality.

    Returns:
        The files that changed.

    Raises:
        ConfigError: the project has code of its own, or a file that would be replaced is not committed.
    """
    if not code.is_pinned(root):
        raise ConfigError(
            "this project was not made by `convoy init`: it has code of its own",
            where=str(root),
            fix="nothing is to be refreshed here",
        )
    wanted = {
        "dvc.yaml": code.graph_text(),
        **{name: text(name) for name in COPIED if name != _KEPT},
    }
    stale = [name for name, content in wanted.items() if _content(root / name) != content]
    params = parameters.with_modality(_content(root / PARAMS) or "")
    if params is not None:
        wanted[PARAMS.as_posix()] = params
        stale.append(PARAMS.as_posix())
    unsaved = [name for name in stale if versioning.changed(root, name)]
    if unsaved:
        raise ConfigError(
            f"these files would be replaced and are not committed: {', '.join(unsaved)}",
            where=str(root),
            fix="commit them first; then `git diff` shows what the refresh changed",
        )
    for name in stale:
        write_text(root / name, wanted[name])
    return [*stale, *(pins.file(stage).as_posix() for stage in code.refresh(root))]


def text(name: str) -> str:
    """Of a file as convoy ships it."""
    return code.shipped(name).read_text(encoding="utf-8")


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
