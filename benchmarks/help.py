"""(d) How long `convoy --help` takes, beside a Python that does nothing and one that only imports typer."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.measure import Report, Side, in_turns, spread, verdict

TARGET = 0.3  # seconds

HELP, EMPTY, TYPER = "convoy --help", "python -c pass", "python -c 'import typer'"


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    convoy = Path(sys.executable).parent / "convoy"
    seconds = in_turns(
        {
            HELP: _wall([str(convoy), "--help"]),
            EMPTY: _wall([sys.executable, "-c", "pass"]),
            TYPER: _wall([sys.executable, "-c", "import typer"]),
        },
        rounds,
        progress,
    )
    middle = {name: median(taken) for name, taken in seconds.items()}
    return Report(
        title="(d) seconds of a command",
        columns=["command", "s (least–most)", f"target ≤ {TARGET} s"],
        rows=[
            [HELP, spread(seconds[HELP]), verdict(middle[HELP], TARGET)],
            [TYPER, spread(seconds[TYPER]), ""],
            [EMPTY, spread(seconds[EMPTY]), ""],
        ],
        notes=[f"Ours above an empty Python: {middle[HELP] - middle[EMPTY]:.2f} s."],
        data={"seconds": seconds, "target": TARGET, "met": middle[HELP] <= TARGET},
    )


def _wall(command: list[str]) -> Side:
    def side() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    return side
