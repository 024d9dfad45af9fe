"""`convoy`: all commands, and the one place where errors become exit codes."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, NoReturn

import typer

from convoy.cli import (
    config,
    data,
    doctor,
    explain,
    folds,
    gradcheck,
    init,
    lr_find,
    model,
    monitor,
    notify,
    predict,
    proof,
    registry,
    run,
    runs,
    schedule,
    serve,
    stage,
    up,
)
from convoy.cli.system_errors import as_convoy
from convoy.ending import heard
from convoy.errors import ConvoyError

app = typer.Typer(
    name="convoy",
    help="From a folder of labelled images to a registered model that can be proven.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("explain")(explain.explain)
app.command("folds")(folds.folds)
app.command("stage")(stage.stage)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.command("runs")(runs.runs)
app.command("compare")(runs.compare)
app.add_typer(runs.track, name="track")
app.add_typer(schedule.app, name="schedule")
app.command("register")(registry.register)
app.add_typer(registry.app, name="registry")
app.command("lr-find")(lr_find.lr_find)
app.command("gradcheck")(gradcheck.gradcheck)
app.command("predict")(predict.predict)
app.command("reproduce")(proof.reproduce)
app.command("verify")(proof.verify)
app.command("serve")(serve.serve)
app.add_typer(monitor.app, name="monitor")
app.add_typer(notify.app, name="notify")
app.command("up")(up.up)
app.command("doctor")(doctor.doctor)

_debug = False


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    global _debug
    _debug = debug


def main() -> NoReturn:
    """Run the command line; exits 0, or with the code of the error (see convoy.errors), or 128 + signal."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        app(standalone_mode=True)
    except (ConvoyError, OSError) as error:
        known = as_convoy(error)
        if known is None:
            raise
        _fail(known)
    sys.exit(0)


def _fail(error: ConvoyError) -> NoReturn:
    if _debug:
        traceback.print_exc()
    typer.echo(str(error), err=True)
    sys.stdout.flush()
    sys.exit(error.exit_code)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C and SIGTERM unwind the stack like any exception, once; a second one ends the process."""
    heard.set()
    signal.signal(number, lambda *_: os._exit(128 + number))
    raise SystemExit(128 + number)
