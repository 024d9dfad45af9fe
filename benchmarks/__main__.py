"""The command: runs the benchmarks that are named, prints a table each, writes JSON where asked."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import ROUNDS, Report, Unavailable, machine, under
from convoy import environment

_WIDTH = 110  # of the tables where the output is no terminal
NAMES = (
    "epoch",
    "rivals",
    "time_to_99",
    "precision",
    "checkpointing",
    "dataset",
    "flow",
    "noop",
    "scheduled",
    "help",
    "evaluation",
    "prediction",
    "serving",
    "promotion",
    "preparation",
    "hog",
    "validation",
    "loader",
    "sequences",
    "texts",
    "textcnn",
    "journal",
    "tracking",
    "registry_scale",
)
_OF_MNIST = ("rivals", "time_to_99", "precision", "checkpointing")
_TRAINING = {"epoch", "dataset", "textcnn", *_OF_MNIST}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Side-by-side measurements.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {' '.join(NAMES)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"counted rounds (default {ROUNDS})")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="torch's threads")
    parser.add_argument("--seconds", type=float, default=60.0, help="serving: under load (default 60)")
    parser.add_argument("--files", type=int, default=50_000, help="noop: pictures (default 50,000)")
    parser.add_argument(
        "--images", type=int, help=f"of MNIST: {', '.join(_OF_MNIST)} (default: by benchmark)"
    )
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    environment.quiet()
    if _TRAINING & set(options.names or NAMES):
        import torch

        torch.set_num_threads(options.threads)  # the same for every side
    screen, console = Console(stderr=True), Console()
    console.width = max(console.width, _WIDTH)
    facts = machine()
    reports: dict[str, Report] = {}
    for name in [name for name in NAMES if name in options.names or not options.names]:
        with screen.status(name) as status:
            more = {"seconds": options.seconds} if name == "serving" else {}
            more |= {"files": options.files} if name == "noop" else {}
            more |= {"images": options.images} if options.images and name in _OF_MNIST else {}
            try:
                report = import_module(f"benchmarks.{name}").run(
                    options.rounds,
                    under(name, status.update),
                    **more,
                )
            except Unavailable as error:
                console.print(f"{name}: not measured: {error}\n", highlight=False, soft_wrap=True)
                continue
        reports[name] = report
        console.print(_table(report))
        for note in report.notes:
            console.print(f"  {note}", highlight=False, soft_wrap=True)
        console.print()
    line = (
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start, "
        f"Python {facts['python']}, torch {facts['torch']}, Lightning {facts['lightning']}, {facts['date']}"
    )
    console.print(line, highlight=False, soft_wrap=True)
    if options.json:
        document = {"machine": facts, "reports": {name: report.plain() for name, report in reports.items()}}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _table(report: Report) -> Table:
    table = Table(title=report.title, title_justify="left")
    for number, column in enumerate(report.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in report.rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
