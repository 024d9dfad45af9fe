"""`convoy run`: the whole pipeline, here and now."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import typer

from convoy import environment
from convoy.errors import ConfigError
from convoy.layout import PARAMS, STATE


def run() -> None:
    """Run the flow: every stage that is stale, then registration.

    Uses the Prefect server that PREFECT_API_URL names, or a temporary one on this machine.
    """
    from convoy.config.load import load
    from convoy.pipeline.preflight import preflight
    from convoy.pipeline.server import die_with_parent, temporary_server

    root = environment.project_root()
    os.chdir(root)
    environment.apply(root)
    config = load(PARAMS)
    flow = Path("flows/pipeline.py")
    if not flow.is_file():
        raise ConfigError(
            "this project has no flow",
            where=str(root / flow),
            fix="restore flows/ from version control, or use `dvc repro`",
        )
    given = os.environ.get("PREFECT_API_URL")
    server = (
        nullcontext(partial(str, given)) if given else temporary_server(STATE / "logs" / "prefect-server.log")
    )
    with server as address:
        preflight(config)  # while the server starts
        process = subprocess.Popen(
            [sys.executable, str(flow), "--checked"],
            env={**os.environ, "PREFECT_API_URL": address()},
            preexec_fn=die_with_parent(),  # no threads run yet
        )
        try:
            code = process.wait()
        except SystemExit:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    raise typer.Exit(code if code >= 0 else 128 - code)
