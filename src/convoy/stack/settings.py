"""What `convoy up` is asked for, and whether it may be done: nothing is open to others without a password."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from convoy.errors import ConfigError
from convoy.serving.limits import is_loopback
from convoy.stack.postgres import Databases

# Set both, and MLflow asks for a name and a password (its app `basic-auth`).
MLFLOW_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"
MLFLOW_ADMIN = "MLFLOW_AUTH_ADMIN_PASSWORD"
PREFECT_AUTH = "PREFECT_SERVER_API_AUTH_STRING"  # name:password; Prefect asks for it where it is set
# Nobody but the server that checks them sees these; nor are they on a command line, in a file or in a log.
SECRETS = (
    MLFLOW_KEY,
    MLFLOW_ADMIN,
    PREFECT_AUTH,
    "CONVOY_BACKEND",
    "MLFLOW_TRACKING_PASSWORD",
    "PGPASSWORD",
    "PREFECT_API_AUTH_STRING",
)
_LEAST = 12  # characters, which is MLflow's own bound


@dataclass(frozen=True)
class Ports:
    mlflow: int = 5000
    prefect: int = 4200
    serve: int = 8000


@dataclass(frozen=True)
class Settings:
    """Of one stack.

    Attributes:
        root: of the project.
        host: that the servers listen on.
        model: registered name of the project's model, whose champion is served.
        databases: None: SQLite in the project.
        artifacts: URI of the folder or bucket of MLflow's files; None: a folder in the project.
        allowed: more names under which the servers may be asked, as behind a proxy.
        token_file: with the secret that requests to `convoy serve` must bear.
        limit: flow runs that the worker runs at a time.
    """

    root: Path
    model: str
    host: str = "127.0.0.1"
    ports: Ports = Ports()
    databases: Databases | None = None
    artifacts: str | None = None
    allowed: tuple[str, ...] = ()
    token_file: Path | None = None
    limit: int = 4

    @property
    def backend(self) -> str:
        return "postgresql" if self.databases else "sqlite"

    @property
    def reach(self) -> str:
        """The host under which this machine itself asks."""
        if self.host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
            return "127.0.0.1"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def names(self) -> tuple[str, ...]:
        """Under which others ask: the allowed ones, else the host itself where it is one address."""
        return self.allowed or (() if self.reach != self.host else (self.host,))


def with_password(environment: Mapping[str, str]) -> bool:
    """Whether MLflow is to ask for a password."""
    return bool(environment.get(MLFLOW_KEY) or environment.get(MLFLOW_ADMIN))


def check(settings: Settings, environment: Mapping[str, str], *, serve: bool) -> None:
    """Refuse what would leave a server open, or half protected.

    Args:
        serve: whether the champion is to be served.

    Raises:
        ConfigError: with everything that must be set.
    """
    wanted = _wanted(settings, environment, serve)
    if not wanted:
        return
    open_to = "" if is_loopback(settings.host) else f"{settings.host} can be reached from other machines; "
    raise ConfigError(
        f"{open_to}the stack is not protected",
        where="the environment and options of `convoy up`",
        fix="\n         ".join(["set all of these, or use --host 127.0.0.1:", *wanted]),
    )


def _wanted(settings: Settings, environment: Mapping[str, str], serve: bool) -> list[str]:
    exposed = not is_loopback(settings.host)
    wanted = []
    if exposed or with_password(environment):
        if len(environment.get(MLFLOW_KEY, "")) < _LEAST:
            wanted.append(f"{MLFLOW_KEY}: at least {_LEAST} characters, the same at each start")
        if len(environment.get(MLFLOW_ADMIN, "")) < _LEAST:
            wanted.append(f"{MLFLOW_ADMIN}: at least {_LEAST} characters, of MLflow's user `admin`")
    if exposed or PREFECT_AUTH in environment:
        name, _, password = environment.get(PREFECT_AUTH, "").partition(":")
        if not name or len(password) < _LEAST:
            wanted.append(f"{PREFECT_AUTH}: NAME:PASSWORD, the password of at least {_LEAST} characters")
    if exposed and serve and settings.token_file is None:
        wanted.append("--token-file FILE: with the secret of `convoy serve`, or --no-serve")
    if exposed and not settings.names:
        wanted.append("--allowed-host NAME: under which this machine is known to the others")
    return wanted
