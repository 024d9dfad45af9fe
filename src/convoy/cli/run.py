"""`convoy run`: the whole pipeline, here and now."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convoy import environment
from convoy.cli import resuming
from convoy.cli.system_errors import as_convoy
from convoy.errors import ConfigError, ConvoyError
from convoy.layout import PARAMS, STATE

if TYPE_CHECKING:
    from convoy.config.schema import Config
    from convoy.pipeline.fresh import Standing
    from convoy.pipeline.server import Temporary

_LOOK_SECONDS = 1.0  # between two looks at the server
_END_SECONDS = 20.0  # for the stages of a run whose server is away: more than what `end_all` gives them


def run(
    allow_inexact_resume: resuming.Inexact = False,
    restart_training: resuming.Restart = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="End with 5 where another run has the project.")
    ] = False,
) -> None:
    """Run the flow: every stage that is stale, then registration. Where nothing is left to do, say so.

    Uses the Prefect server that PREFECT_API_URL names, which then hears of every run, or a temporary one on
    this machine. One run at a time has the project: another one waits, and says for whom.
    """
    from convoy.config.load import load
    from convoy.pipeline import history, lease, templates
    from convoy.pipeline.causes import Ending

    root = environment.project_root()
    os.chdir(root)
    environment.apply(root)
    resuming.ask(allow_inexact_resume, restart_training)
    try:
        templates.check(root, load(PARAMS))  # before it waits
    except ConvoyError as error:
        history.begin(root, "convoy run").end(Ending(code=error.exit_code, message=str(error)))
        raise
    with lease.project(root, "convoy run", wait=not no_wait, say=_say):
        code = _recorded(root)
    raise typer.Exit(code if code >= 0 else 128 - code)


def _recorded(root: Path) -> int:
    """As `_run`, with what `convoy explain` will tell of it; the flow adds what it does."""
    from convoy.config.load import load
    from convoy.pipeline import history
    from convoy.pipeline.causes import Ending

    record = history.begin(root, "convoy run")
    try:
        code = _run(root, load(PARAMS))
    except (ConvoyError, OSError) as error:
        known = as_convoy(error)
        record.end(Ending(code=known.exit_code if known else None, message=str(known or error)))
        raise
    except typer.Exit as done:  # there was nothing to do
        record.end(Ending(code=done.exit_code))
        raise
    except SystemExit as told:
        record.end(Ending(code=None, signal=int(told.code or 0) - 128))
        raise
    if code < 0:
        record.end(Ending(code=None, signal=-code, message="the flow's process was ended from outside"))
    return code


def _run(root: Path, config: "Config") -> int:
    """The flow's exit code, as `Popen` has it."""
    from convoy.pipeline import abandoned, checking, lease
    from convoy.pipeline import code as pinned
    from convoy.pipeline.reconcile import reconcile
    from convoy.pipeline.server import die_with_parent, temporary_server

    reconcile(root, say=_say)
    _fetch(config)
    pinned.refresh(root, typer.echo)  # before anything asks what is stale
    flow = Path("flows/pipeline.py")
    if not flow.is_file():
        raise ConfigError(
            "this project has no flow",
            where=str(root / flow),
            fix="restore flows/ from version control, or use `dvc repro`",
        )
    given = os.environ.get("PREFECT_API_URL")
    known: list[str] = []
    if not given:
        standing = _standing(root, config)
        known = ["--fresh", *sorted(standing.fresh)] if standing else ["--fresh"]
    with ExitStack() as stack:
        log = STATE / "logs" / "prefect-server.log"
        server = None if given else stack.enter_context(temporary_server(log))
        checking.check(root)  # while the server starts
        url = server.address() if server else str(given)
        process = subprocess.Popen(
            [sys.executable, str(flow), "--checked", *known],
            env={**os.environ, "PREFECT_API_URL": url},
            preexec_fn=die_with_parent(),  # no threads run yet
            pass_fds=lease.descriptors(),
        )
        try:
            if server:
                for name in abandoned.mark(url):  # while the flow's process imports
                    _say(f"flow run {name} is now Crashed: its process is gone")
            code = _ended(process, server)
        except SystemExit:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
        if code > 0 and server:
            server.check()
        return code


def _ended(process: "subprocess.Popen[bytes]", server: "Temporary | None") -> int:
    """Wait for the flow; where its server ends before it, it is told to end, and its stages with it.

    Prefect would try for minutes to reach a server that nobody starts again.

    Raises:
        ResourceError: the server has ended.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
        if server is None or server.process.poll() is None:
            continue
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # its stages have ended, and it tries to tell the server
            process.kill()
            process.wait()
        server.check()


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _fetch(config: "Config") -> None:
    """The files of a named data set, where they are missing.

    Raises:
        IntegrityError, ResourceError: see `downloads.get`.
    """
    if config.data.source != "named":
        return
    from convoy.data import downloads
    from convoy.data.sources import named

    folder = Path(config.data.path)
    assert config.data.dataset is not None  # the configuration sees to it
    if not named.present(folder, config.data):
        downloads.get(config.data.dataset, folder, say=_say)


def _standing(root: Path, config: "Config") -> "Standing | None":
    """What is up to date; None where DVC cannot tell. Ends the command where that is everything.

    Raises:
        typer.Exit: every stage is up to date and the bundle is registered; the result was shown.
    """
    from convoy.pipeline import fresh

    standing = fresh.standing(root)
    if standing is not None and standing.done:
        from convoy.pipeline import recorded, summary

        result = recorded.find(root, config) or recorded.ask(root, config)
        if result is not None:
            summary.show(result)
            raise typer.Exit(result.exit_code)
    return standing
