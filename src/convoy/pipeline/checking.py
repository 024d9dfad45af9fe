"""The checks before a run, in a process of their own.

They need torch, whose import takes seconds, as does the end of a process that has it, and whose memory the
process of the flow would hold until the last stage.

    python -P -m convoy.pipeline.checking      in the project's folder
"""

import os
import subprocess
import sys
from pathlib import Path

from convoy.config.load import load
from convoy.errors import ConvoyError, ResourceError, ToldError
from convoy.layout import PARAMS


def check(root: Path) -> None:
    """Run `preflight` on a project.

    Raises:
        ResourceError: the process was killed.
        ToldError: something is wrong, in the words and with the exit code of the checks.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "convoy.pipeline.checking"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode < 0:
        raise ResourceError(
            f"the checks before the run were ended from outside (signal {-done.returncode})",
            fix="see what ended them (`dmesg`: memory that ran out), and start again",
        )
    if done.returncode:
        raise ToldError(done.returncode, done.stderr[done.stderr.rfind("\nerror ") + 1 :].strip())


def main() -> int:
    from convoy import environment
    from convoy.pipeline.preflight import preflight

    environment.quiet()
    try:
        preflight(load(PARAMS))
    except ConvoyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # it has nothing to put in order, and torch would take its time
