"""What the registry should hold: every version's files as they were registered, and an unbroken ledger.

Nothing that is downloaded is loaded or run.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from convoy import provenance
from convoy.proof import audit, verify_local
from convoy.proof.audit import Expectation, Problem
from convoy.registry import client, common_lock, ledger
from convoy.registry.versions import BUNDLE_TAG

BUNDLE = Path("artifacts", "bundle")  # inside an MLflow model
_LOADER = "mlflow.pyfunc.loaders.code_model"
_MODEL_FILES = {"MLmodel", "pyfunc.py", "conda.yaml", "python_env.yaml", "requirements.txt"}
_FLAVOR = {
    "artifacts", "cloudpickle_version", "code", "env", "loader_module", "model_code_path", "python_version",
    "streamable",
}  # fmt: skip
_FIX = "restore the artifact store from a backup; the version must not be served until then"
_LEDGER_FIX = "restore the registry's database from a backup"


def plan(connection: Any, scratch: Path) -> Iterator[Expectation | Problem]:
    """The versions of all models that convoy registered; files of a remote store go to `scratch`."""
    for name in _models(connection):
        for version in connection.search_model_versions(f"name = '{name}'"):
            full = connection.get_model_version(version.name, version.version)
            if BUNDLE_TAG in full.tags:
                yield from _version(connection, full, scratch)


def ledgers(connection: Any) -> tuple[int, list[Problem]]:
    """How many entries there are, and what the ledgers contradict."""
    entries, problems = 0, []
    for name in _models(connection):
        tags = connection.get_registered_model(name).tags
        entries += sum(tag.startswith("convoy.ledger.") and tag != "convoy.ledger.applied" for tag in tags)
        problems += [
            Problem("ledger", text, f"ledger of {name}", fix=_LEDGER_FIX)
            for text in ledger.problems(connection, name)
        ]
    return entries, problems


def database(uri: str) -> list[Problem]:
    """What SQLite itself says about a local database."""
    file = client.database_file(uri)
    if file is None or not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(file)) as opened:
            rows = [str(row[0]) for row in opened.execute("PRAGMA integrity_check(10)")]
    except sqlite3.Error as error:
        rows = [str(error)]
    return [
        Problem("registry", f"the database is damaged: {row}", str(file), fix=_LEDGER_FIX)
        for row in rows
        if row != "ok"
    ]


def _models(connection: Any) -> Iterator[str]:
    """Names of all registered models, page by page."""
    token = None
    while True:
        page = connection.search_registered_models(page_token=token)
        yield from (model.name for model in page if not model.name.startswith(common_lock.PREFIX))
        token = page.token
        if not token:
            return


def _version(connection: Any, version: Any, scratch: Path) -> Iterator[Expectation | Problem]:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    named = f"{version.name}/{version.version}"
    source = connection.get_model_version_download_uri(version.name, version.version)
    try:
        if urlsplit(source).scheme in ("", "file"):
            folder = Path(url2pathname(urlsplit(source).path))
        else:
            target = scratch / version.name / str(version.version)
            target.mkdir(parents=True)
            folder = Path(download_artifacts(artifact_uri=source, dst_path=str(target)))
    except (OSError, MlflowException) as error:
        yield Problem("registry", f"the files cannot be read: {error}", named, fix=_FIX)
        return
    if not (folder / BUNDLE).is_dir():
        yield Problem("registry", "the files are gone", f"{named}: {source}", fix=_FIX)
        return
    yield verify_local.Sums(
        "registry", folder / BUNDLE, f"{named}: bundle", _FIX, digest=version.tags[BUNDLE_TAG]
    )
    yield Wrapping(folder, named)


@dataclass(frozen=True)
class Wrapping:
    """What MLflow keeps around a bundle and would run: its copy of pyfunc.py, MLmodel, requirements."""

    folder: Path
    shown: str
    area: str = "registry"

    def needs(self) -> Sequence[audit.Key]:
        return [(path, "sha256") for path in sorted(self.folder.iterdir()) if path.is_file()]

    def judge(self, found: audit.Found) -> list[Problem]:
        for path, kind in self.needs():
            if isinstance(error := found[path, kind], OSError):
                return [audit.unreadable(self.area, f"{self.shown}: {path.name}", error)]
        return [
            Problem(self.area, text, f"{self.shown}: {name}", fix=_FIX)
            for name, text in wrapping(self.folder)
        ]


def wrapping(folder: Path) -> list[tuple[str, str]]:
    """(file, what is wrong) of an MLflow model folder, the bundle inside apart."""
    problems = [
        (path.relative_to(folder).as_posix(), "the file does not belong to the model")
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
        and "__pycache__" not in path.parts
        and not path.is_relative_to(folder / BUNDLE)
        and (path.parent != folder or path.name not in _MODEL_FILES)
    ]
    problems += [
        (name, "the file is missing") for name in sorted(_MODEL_FILES) if not (folder / name).is_file()
    ]
    if problems:
        return problems
    if (folder / "pyfunc.py").read_bytes() != (folder / BUNDLE / "code" / "pyfunc.py").read_bytes():
        problems.append(("pyfunc.py", "the code that MLflow runs is not the bundle's code/pyfunc.py"))
    problems += [("MLmodel", text) for text in _description(provenance.read_yaml(folder / "MLmodel"))]
    problems += _requirements(folder)
    return problems


def _description(model: Mapping[str, Any]) -> list[str]:
    """What in MLmodel would make MLflow load something else than the bundle."""
    flavors = model.get("flavors")
    flavor = flavors.get("python_function") if isinstance(flavors, dict) else None
    if not isinstance(flavor, dict) or not isinstance(flavors, dict):
        return ["it describes no pyfunc model"]
    found = [f"it describes another flavour: {name}" for name in sorted(flavors.keys() - {"python_function"})]
    found += [f"it holds the unknown key {name!r}" for name in sorted(flavor.keys() - _FLAVOR)]
    if flavor.get("loader_module") != _LOADER:
        found.append(f"MLflow would load it by {flavor.get('loader_module')!r}, not by {_LOADER}")
    if PurePosixPath(str(flavor.get("model_code_path"))).name != "pyfunc.py":
        found.append(f"MLflow would run {flavor.get('model_code_path')!r}")
    if flavor.get("code") is not None:
        found.append(f"MLflow would import code from {flavor.get('code')!r}")
    artifacts = flavor.get("artifacts")
    paths = (
        {name: entry.get("path") for name, entry in artifacts.items() if isinstance(entry, dict)}
        if isinstance(artifacts, dict)
        else {}
    )
    if paths != {"bundle": BUNDLE.as_posix()}:
        found.append(f"its artifacts are {paths}, not the bundle alone")
    return found


def _requirements(folder: Path) -> list[tuple[str, str]]:
    """What MLflow would install for the model must be what the bundle needs, and MLflow itself."""
    wanted = set((folder / BUNDLE / "requirements.txt").read_text(encoding="utf-8").split())
    given = _lines(folder / "requirements.txt")
    conda = provenance.read_yaml(folder / "conda.yaml").get("dependencies", [])
    pip: list[Any] = next((entry["pip"] for entry in conda if isinstance(entry, dict) and "pip" in entry), [])
    problems = []
    for name, lines in (("requirements.txt", given), ("conda.yaml", pip)):
        extra = [line for line in lines if line not in wanted and not str(line).startswith("mlflow==")]
        if extra or not wanted <= set(lines):
            problems.append(
                (
                    name,
                    f"it is not what the bundle needs: {', '.join(map(str, extra)) or 'a line is missing'}",
                )
            )
    environment = provenance.read_yaml(folder / "python_env.yaml")
    if environment.get("dependencies") != ["-r requirements.txt"]:
        problems.append(("python_env.yaml", "it does not install requirements.txt alone"))
    return problems


def _lines(path: Path) -> list[str]:
    return [
        line.strip()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
