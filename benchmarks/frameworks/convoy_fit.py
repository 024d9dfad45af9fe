"""convoy: `convoy.training.fit.fit` as the train stage calls it, precision chosen as it chooses.

The journal tells the end of an epoch; the checkpoint that follows it is in the next epoch's time.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frameworks.turns import BATCH, Turns, options
from convoy import environment


def main() -> None:
    given = options("convoy")
    environment.quiet()  # before torch is imported, as the command does

    import torch

    from benchmarks import mnist
    from benchmarks.ours import whole
    from convoy.training import precision
    from convoy.training.journal import Journal

    torch.set_num_threads(given.threads)
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        task = mnist.task(mnist.stores(given.data, Path(folder)), given.epochs)
        if given.precision == "auto":
            shape = (BATCH, 28, 28, 1)
            chosen = precision.choose(task.build, shape, torch.device("cpu"), Path(folder) / "precision")
            task = replace(task, precision=chosen)
        turns = Turns("convoy", "torch")

        class OnCall(Journal):
            def append(self, event: str, *, synced: bool = False, **fields: Any) -> dict[str, Any]:
                entry = super().append(event, synced=synced, **fields)
                if event == "metrics":
                    turns.done(fields["values"]["val_accuracy"])
                return entry

        whole(task, None, journal=OnCall)


if __name__ == "__main__":
    main()
