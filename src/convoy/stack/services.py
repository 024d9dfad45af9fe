"""The four services of a stack: command line, environment, and how to tell that each is ready.

Secrets are in environments alone, each in that of the service that checks it or must show it.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from convoy import environment
from convoy.io import sha256_bytes
from convoy.serving.limits import is_loopback
from convoy.stack import probes
from convoy.stack.settings import MLFLOW_ADMIN, MLFLOW_KEY, PREFECT_AUTH, SECRETS, Settings, with_password

POOL = "convoy"
_CONVOY = (sys.executable, "-P", "-c", "from convoy.cli import main; main()")
_CLOUD = ("AWS_", "AZURE_", "GOOGLE_", "GCS_", "MLFLOW_S3_")  # keys of object stores


@dataclass(frozen=True)
class Service:
    """One child of the supervisor.

    Attributes:
        name: as it is shown, and the name of its log.
        command: without secrets.
        environment: whole.
        ready: whether it does its work, asked of the running process.
        address: what to open; empty where it listens nowhere.
        port: that it listens on; 0 where on none.
        needs: names of services that must be ready before.
        wanted: what must be true before it is started, and what is said until then.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready: Callable[[], bool] = field(repr=False)
    address: str = ""
    port: int = 0
    needs: tuple[str, ...] = ()
    wanted: tuple[Callable[[], bool], str] | None = field(default=None, repr=False)


def services(settings: Settings, given: Mapping[str, str], *, serve: bool = True) -> list[Service]:
    """What a stack consists of, in the order of starting.

    Args:
        given: the environment of `convoy up`, secrets among it.
        serve: whether the champion is to be served.
    """
    found = [mlflow(settings, given), prefect(settings, given), worker(settings, given)]
    return [*found, champion(settings, given)] if serve else found


def mlflow_address(settings: Settings) -> str:
    return f"http://{settings.reach}:{settings.ports.mlflow}"


def prefect_address(settings: Settings) -> str:
    """Of the API."""
    return f"http://{settings.reach}:{settings.ports.prefect}/api"


def mlflow(settings: Settings, given: Mapping[str, str]) -> Service:
    database = (
        settings.databases.mlflow if settings.databases else environment.default_tracking_uri(settings.root)
    )
    folder = environment.state_dir(settings.root) / "mlflow"
    own = {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_TRACKING_URI": database,  # that the server itself uses
        "MLFLOW_HOST": settings.host,
        "MLFLOW_PORT": str(settings.ports.mlflow),
        "MLFLOW_WORKERS": given.get("MLFLOW_WORKERS", "1"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes and 2 GB, for features of LLMs
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(_hosts(settings)),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(_origins(settings, settings.ports.mlflow)),
        **_artifacts(settings, folder),
    }
    if with_password(given):
        own |= {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), MLFLOW_KEY: given[MLFLOW_KEY],
                MLFLOW_ADMIN: given[MLFLOW_ADMIN]}  # fmt: skip
    if settings.databases:
        own |= settings.databases.environment
    address = mlflow_address(settings)
    return Service(
        "mlflow",
        (sys.executable, "-m", "convoy.stack.mlflow_server"),
        _environment(settings, given, own, cloud=True),
        lambda: probes.answers(f"{address}/health"),
        address,
        settings.ports.mlflow,
    )


def prefect(settings: Settings, given: Mapping[str, str]) -> Service:
    port = settings.ports.prefect
    seen = [f"http://{name}:{port}/api" for name in settings.names]
    own = {
        "CONVOY_STACK_HOST": settings.host,
        "CONVOY_STACK_PORT": str(port),
        "CONVOY_STACK_ALLOWED": ",".join(settings.allowed),
        "PREFECT_HOME": str(settings.root / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(_origins(settings, port)),
        "PREFECT_SERVER_UI_API_URL": seen[0] if seen else prefect_address(settings),
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(settings.root / ".prefect" / "ui"),
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # it calls an analytics host
    }
    if PREFECT_AUTH in given:
        own[PREFECT_AUTH] = given[PREFECT_AUTH]
    if settings.databases:
        own |= {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": settings.databases.prefect,
            **settings.databases.environment,
        }
    api = prefect_address(settings)
    return Service(
        "prefect",
        (sys.executable, "-m", "convoy.stack.prefect_server"),
        _environment(settings, given, own),
        lambda: probes.answers(f"{api}/health"),
        api.removesuffix("/api"),
        port,
    )


def worker(settings: Settings, given: Mapping[str, str]) -> Service:
    api = prefect_address(settings)
    name = f"{socket.gethostname()} {settings.root.name} {sha256_bytes(os.fsencode(settings.root))[:6]}"
    own = {
        **clients(settings, given),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_HOME": str(settings.root / ".prefect"),
    }
    return Service(
        "worker",
        (sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process",
         "--name", name, "--limit", str(settings.limit), "--install-policy", "never"),
        _environment(settings, given, own, cloud=True),
        lambda: probes.worker(api, POOL, name, given.get(PREFECT_AUTH, "")),
        needs=("mlflow", "prefect"),
    )  # fmt: skip


def champion(settings: Settings, given: Mapping[str, str]) -> Service:
    """`convoy serve` of the project's champion, as soon as there is one; it follows the alias by itself."""
    port, tracking = settings.ports.serve, mlflow_address(settings)
    options = [part for name in settings.allowed for part in ("--allowed-host", name)]
    if settings.token_file:
        options += ["--token-file", str(settings.token_file)]
    address = f"http://{settings.reach}:{port}"
    credentials = _mlflow_credentials(given)
    return Service(
        "serve",
        (*_CONVOY, "serve", "--host", settings.host, "--port", str(port), *options),
        _environment(settings, given, clients(settings, given), cloud=not _proxied(settings)),
        lambda: probes.answers(f"{address}/ping"),
        address,
        port,
        needs=("mlflow",),
        wanted=(
            lambda: probes.champion(tracking, settings.model, credentials) is not None,
            f"no version of {settings.model} is champion yet; it is served as soon as one is",
        ),
    )  # fmt: skip


def clients(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to use the servers of the stack, with its passwords where they ask for one."""
    found = {"MLFLOW_TRACKING_URI": mlflow_address(settings), "PREFECT_API_URL": prefect_address(settings)}
    if with_password(given):
        name, _, password = _mlflow_credentials(given).partition(":")
        found |= {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
    if PREFECT_AUTH in given:
        found["PREFECT_API_AUTH_STRING"] = given[PREFECT_AUTH]
    return found


def _environment(
    settings: Settings, given: Mapping[str, str], own: Mapping[str, str], *, cloud: bool = False
) -> dict[str, str]:
    """The given environment without what other services use alone."""
    servers = (
        "MLFLOW_TRACKING_URI",
        "PREFECT_API_URL",
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_AUTH_CONFIG_PATH",
    )
    kept = {
        name: value
        for name, value in given.items()
        if name not in (*SECRETS, *servers) and (cloud or not name.startswith(_CLOUD))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}"
    base = environment.variables(settings.root)
    del base["MLFLOW_TRACKING_URI"]
    return {**base, **kept, "PATH": path, "PYTHONUNBUFFERED": "1", **own}


def _mlflow_credentials(given: Mapping[str, str]) -> str:
    """The user's own where they are set, else the administrator's; empty where MLflow asks for none."""
    if not with_password(given):
        return ""
    if given.get("MLFLOW_TRACKING_USERNAME") and given.get("MLFLOW_TRACKING_PASSWORD"):
        return f"{given['MLFLOW_TRACKING_USERNAME']}:{given['MLFLOW_TRACKING_PASSWORD']}"
    return f"{given.get('MLFLOW_AUTH_ADMIN_USERNAME', 'admin')}:{given[MLFLOW_ADMIN]}"


def _proxied(settings: Settings) -> bool:
    """Whether MLflow hands files through: its clients then need neither its folder nor its bucket's keys."""
    return not is_loopback(settings.host) or "://" in (settings.artifacts or "")


def _artifacts(settings: Settings, folder: Path) -> dict[str, str]:
    """Where files go. On one machine they are written in place, and can be read when no server runs."""
    place = settings.artifacts or str(folder / "artifacts")
    if _proxied(settings):
        return {"MLFLOW_SERVE_ARTIFACTS": "true", "MLFLOW_ARTIFACTS_DESTINATION": place}
    return {"MLFLOW_SERVE_ARTIFACTS": "false", "MLFLOW_DEFAULT_ARTIFACT_ROOT": Path(place).resolve().as_uri()}


def _hosts(settings: Settings) -> list[str]:
    """Host headers that MLflow takes."""
    names = ["localhost", "127.0.0.1", *settings.names]
    return [form for name in dict.fromkeys(names) for form in (name, f"{name}:*")]


def _origins(settings: Settings, port: int) -> list[str]:
    """Pages that may ask."""
    names = dict.fromkeys(["localhost", settings.reach, *settings.names])
    plain = [f"http://{name}:{port}" for name in names]
    return [*plain, *(f"https://{name}" for name in settings.allowed)]
