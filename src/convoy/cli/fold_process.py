"""The process of some stages in a folder of their own: python -m convoy.cli.fold_process FOLDER STAGE…

Ends with the exit code of the error, which it leaves in failure.json.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from convoy.cli.system_errors import as_convoy
from convoy.config.load import load
from convoy.ending import heard
from convoy.errors import ConvoyError
from convoy.folds.plan import FAILURE
from convoy.io import write_json
from convoy.layout import PARAMS


def work(folder: Path, stages: list[str]) -> None:
    """Run the stages, one after another, with `folder` as the project.

    Raises:
        ConvoyError: of a stage.
    """
    os.chdir(folder)
    config = load(PARAMS)
    for stage in stages:
        main = importlib.import_module(f"convoy.stages.{stage}").main
        if stage == "train":
            from convoy.pipeline import gpus

            with gpus.leased(gpus.wanted(config.train), "convoy folds", print):
                main(config)
        else:
            main(config)


def main() -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    folder = Path(sys.argv[1])
    (folder / FAILURE).unlink(missing_ok=True)
    try:
        work(folder, sys.argv[2:])
    except (ConvoyError, OSError) as error:
        known = as_convoy(error)
        if known is None:
            raise
        told = {"code": known.exit_code, "what": known.what, "where": known.where, "fix": known.fix}
        write_json(folder / FAILURE, told)
        sys.exit(known.exit_code)
    sys.exit(0)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    heard.set()
    signal.signal(number, lambda *_: os._exit(128 + number))
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
