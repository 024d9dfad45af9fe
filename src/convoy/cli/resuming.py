"""What to do with an interrupted training that cannot be resumed exactly: options that become a variable.

DVC runs the stage and passes no options on; a variable of the environment reaches it.
"""

import os
from typing import Annotated

import typer

from convoy.errors import ConfigError

Inexact = Annotated[
    bool,
    typer.Option(
        "--allow-inexact-resume",
        help="Go on with a training that was interrupted in another environment (threads, device, torch …); "
        "its last bits then differ, which is recorded.",
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart-training", help="Give up an interrupted training and begin it anew.")
]


def ask(inexact: bool, restart: bool) -> None:
    """Tell the train stage, in this process or below it (see convoy.training.exactness).

    Raises:
        ConfigError: both are asked for.
    """
    if inexact and restart:
        raise ConfigError(
            "--allow-inexact-resume and --restart-training exclude each other", fix="give one of them"
        )
    if inexact or restart:
        from convoy.config.engine import RESUME

        os.environ[RESUME] = "inexact" if inexact else "restart"
