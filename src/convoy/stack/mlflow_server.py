"""MLflow's server, started on a store that is whole; settings and secrets come from the environment.

    python -m convoy.stack.mlflow_server

`mlflow server` reads MLFLOW_HOST, MLFLOW_PORT, MLFLOW_BACKEND_STORE_URI and so on by itself. A new store gets
its schema first, under the lock that every other first contact takes. With MLFLOW_AUTH_CONFIG_PATH it asks
for passwords; the file is written here, without any.
"""

import os
import sys
from configparser import ConfigParser
from pathlib import Path

from convoy.errors import ConvoyError
from convoy.registry import client

_PERMISSION = "EDIT"  # of a user, on what another made: a team shares its runs and models


def auth_settings(path: Path, database: str) -> None:
    """Write what MLflow's app `basic-auth` reads, without a password; only the user can read it.

    Args:
        database: SQLAlchemy URL without a password. Users lie in MLflow's own database.
    """
    config = ConfigParser(interpolation=None)
    config["mlflow"] = {
        "default_permission": _PERMISSION,
        "database_uri": database,
        "admin_username": os.environ.get("MLFLOW_AUTH_ADMIN_USERNAME", "admin"),
        "auth_cache_ttl_seconds": "60",  # else each of a bundle's forty files waits for a slow hash
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        config.write(file)


def main() -> None:
    database = os.environ["MLFLOW_BACKEND_STORE_URI"]
    arguments = ["server"]
    try:
        client.connect(None)
    except ConvoyError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    if path := os.environ.get("MLFLOW_AUTH_CONFIG_PATH"):
        auth_settings(Path(path), database)
        arguments += ["--app-name", "basic-auth"]
    from mlflow.cli import cli

    cli(arguments)


if __name__ == "__main__":
    main()
