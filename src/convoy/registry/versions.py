"""Versions of a registered model: one for each bundle, whatever happens in between.

The files are uploaded first, into an MLflow "logged model" that is marked READY when they are complete. The
version with all its tags is then made by one call. A process that is killed before that call leaves no
version; the next one takes up the READY files or removes the unfinished ones. Callers hold the
registry's lock.
"""

import importlib
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from convoy.bundle import contents, golden
from convoy.errors import IntegrityError
from convoy.serving import inputs, outputs

BUNDLE_TAG = "convoy.bundle"
VERDICT_TAG = "convoy.verdict"
STATUS_TAG = "convoy.status"
FLOW_TAG = "convoy.flow_run"
_NOT_FOUND = "RESOURCE_DOES_NOT_EXIST"


def find(client: Any, name: str, digest: str) -> Any | None:
    """The version of a bundle, or None."""
    found = client.search_model_versions(f"name = '{name}' and tags.`{BUNDLE_TAG}` = '{digest}'")
    return client.get_model_version(name, found[0].version) if found else None


def ensure_model(client: Any, name: str) -> None:
    """Create the registered model where it is missing."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != _NOT_FOUND:
            raise
        client.create_registered_model(name, description="Bundles made by convoy; `convoy registry show`.")


def create(client: Any, name: str, bundle: Path, run: Any, tags: Mapping[str, str], description: str) -> Any:
    """Upload a bundle as an MLflow model of a run, then register it.

    Args:
        tags: of the version; must hold BUNDLE_TAG.

    Raises:
        IntegrityError: the model as MLflow would load it disagrees with torch.
    """
    model_id = _upload(client, bundle, run, tags[BUNDLE_TAG])
    ensure_model(client, name)
    return client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run.info.run_id,
        tags=dict(tags),
        description=description,
        model_id=model_id,
    )


def fetch(client: Any, version: Any, scratch: Path) -> Path:
    """The bundle of a version, as a folder: where it lies in a local store, else downloaded to `scratch`.

    Raises:
        IntegrityError: its files are gone, or are not those that were registered.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    named = f"{version.name} version {version.version}"
    location = client.get_model_version_download_uri(version.name, version.version)
    source = f"{location}/artifacts/bundle"
    try:
        if urlsplit(source).scheme in ("", "file"):
            local = Path(url2pathname(urlsplit(source).path))
        else:
            folder = scratch / f"{version.name}-{version.version}"
            folder.mkdir(parents=True, exist_ok=True)
            local = Path(download_artifacts(artifact_uri=source, dst_path=str(folder)))
    except (OSError, MlflowException) as error:
        raise IntegrityError(
            f"the files of {named} cannot be read: {error}", where=source, fix="restore the artifact store"
        ) from error
    wanted = version.tags.get(BUNDLE_TAG)
    sums = contents.sha256s(local)
    if wanted != contents.name_of(sums):
        changed = "".join(f"; {words}" for words in contents.altered(local, sums)[:3])
        raise IntegrityError(
            f"the files of {named} are not those that were registered{changed}"
            if wanted
            else f"{named} was not registered by convoy",
            where=str(local),
            fix="restore the artifact store from a backup" if wanted else "name a version that convoy made",
        )
    return local


def _upload(client: Any, bundle: Path, run: Any, digest: str) -> str:
    """The id of a READY logged model that holds the bundle."""
    from mlflow.entities import LoggedModelOutput

    experiment, run_id = run.info.experiment_id, run.info.run_id
    for model in client.search_logged_models([experiment], filter_string=f"tags.`{BUNDLE_TAG}` = '{digest}'"):
        if str(model.status) == "READY":
            return str(model.model_id)
        client.delete_logged_model(model.model_id)  # of a process that was killed
    model = client.create_logged_model(
        experiment,
        name="bundle",
        source_run_id=run_id,
        tags={BUNDLE_TAG: digest},
        params=dict(run.data.params),
        model_type=f"{contents.info(bundle)['preprocessing'].get('modality', 'image')} classifier",
    )
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        folder = Path(scratch) / "model"
        _save_pyfunc(bundle, folder, model, run_id)
        check_pyfunc(folder)
        client.log_model_artifacts(model.model_id, str(folder))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _save_pyfunc(bundle: Path, folder: Path, model: Any, run_id: str) -> None:
    """Write the MLflow model: `pyfunc.py` as code, the bundle as its artifact. No pickle."""
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    info = contents.info(bundle)
    given, said = inputs.of(info["preprocessing"]), outputs.of(info)
    signature = ModelSignature(
        inputs=Schema([ColSpec(kind, name) for kind, name in inputs.schema(given)]),
        outputs=Schema([ColSpec(kind, name) for kind, name in said.signature]),
    )
    described = Model(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        model_id=model.model_id,
        run_id=run_id,
    )
    with _pyfunc() as pyfunc:
        pyfunc.save_model(
            folder,
            mlflow_model=described,
            python_model=str(bundle / "code" / "pyfunc.py"),
            artifacts={"bundle": str(bundle)},
            signature=signature,
            pip_requirements=str(bundle / "requirements.txt"),
        )


def check_pyfunc(folder: Path) -> None:
    """Load an MLflow model folder as MLflow does and let it answer the golden samples.

    Raises:
        IntegrityError: an answer is not torch's; the sample is named.
    """
    bundle = folder / "artifacts" / "bundle"
    samples = golden.read(bundle)
    info = contents.info(bundle)
    given, said = inputs.of(info["preprocessing"]), outputs.of(info)
    table = inputs.as_frame(given, [sample["content"] for sample in samples])
    with _pyfunc() as pyfunc:
        answers = pyfunc.load_model(str(folder)).predict(table)
    golden.check(samples, list(answers[said.columns].to_numpy(np.float64)), said, "pyfunc")


@contextmanager
def _pyfunc() -> Iterator[Any]:
    """mlflow.pyfunc, without two warnings that tell nothing about the model: one about type hints inside
    MLflow itself, one that wants an input example although there is a signature.

    It imports the bundle's code, which must leave no bytecode there: DVC has hashed artifacts/bundle.
    """
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    with warnings.catch_warnings():
        for message in (".*Any type hint is inferred as AnyType.*", ".*input example was not provided.*"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        try:
            yield importlib.import_module("mlflow.pyfunc")
        finally:
            sys.dont_write_bytecode = writes_no_bytecode
