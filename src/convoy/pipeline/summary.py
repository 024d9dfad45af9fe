"""The end of a pipeline run: MLflow brought up to date, the bundle registered, the result told."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy.io import read_json
from convoy.layout import EVALUATE, TRAIN
from convoy.registry import register, tracking
from convoy.registry.client import connect
from convoy.registry.register import Receipt

if TYPE_CHECKING:
    from convoy.config.schema import Config

TITLE = "CONVOY_RUN_TITLE"  # a variable: for whom a run was made, which goes before its name in MLflow

_SHOWN = ("accuracy", "subset_accuracy", "macro_f1", "log_loss", "nme", "pck_10", "mae", "r2")


@dataclass(frozen=True)
class Result:
    """What a pipeline run made.

    Attributes:
        metrics: of metrics.json.
        run_name: of the MLflow run.
        link: to the run in the MLflow UI; empty where no server is running.
        report: where report.html is to be seen, in the MLflow UI or on disk; empty where there is none.
    """

    receipt: Receipt
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    run_name: str
    link: str
    report: str

    @property
    def exit_code(self) -> int:
        """0, or 6 where the gate refused."""
        refusal = self.receipt.refusal()
        return refusal.exit_code if refusal else 0

    def rows(self) -> list[tuple[str, str]]:
        """The result as label and value."""
        test, intervals = self.metrics["test"], self.metrics["intervals"]
        receipt = self.receipt
        rows = [
            (
                f"test {name.replace('_', ' ')}",
                f"{test[name]:.4f}  [{intervals[name][0]:.4f}, {intervals[name][1]:.4f}]",
            )
            for name in _SHOWN
            if name in test and name in intervals
        ]
        training = self.training
        once = training.get("ended_by") == "fit"
        took = "fitted at once" if once else f"best of {training['epochs_run']} epochs"
        origin = f"{training['device']}, {training['precision']}, {took}"
        rows += [
            ("test samples", str(test["samples"])),
            ("trained on", origin),
            ("MLflow run", f"{self.run_name} ({receipt.run_id[:8]})"),
            (
                "model",
                f"{receipt.name} version {receipt.version}{'' if receipt.new else ' (registered before)'}",
            ),
            ("gate", f"{receipt.status}: {receipt.verdict['reason']}"),
        ]
        if receipt.verdict.get("fix"):
            rows.append(("to do", receipt.verdict["fix"]))
        if self.report:
            rows.append(("report", self.report))
        if self.link:
            rows.append(("link", self.link))
        return rows

    @property
    def markdown(self) -> str:
        """The Prefect artifact."""
        lines = ["| | |", "| --- | --- |", *(f"| {label} | {value} |" for label, value in self.rows())]
        return (
            f"# {self.receipt.name} {self.receipt.version}: {self.receipt.status}\n\n"
            + "\n".join(lines)
            + "\n"
        )


def conclude(root: Path, config: "Config") -> Result:
    """Send what MLflow lacks, register the bundle, let the gate decide. Doing it twice changes nothing.

    Raises:
        IntegrityError: the bundle is not what it says.
        ResourceError: the tracking server cannot be reached.
    """
    run_id = tracking.sync(root, config)
    receipt = register.register(root, config, run_id)
    client = connect(root)
    run = client.get_run(receipt.run_id)
    title = os.environ.get(TITLE)
    if title and receipt.new:  # a run that was there before keeps its name
        client.update_run(receipt.run_id, name=f"{title} {run.info.run_name}")
        run = client.get_run(receipt.run_id)
    uri = os.environ["MLFLOW_TRACKING_URI"]
    link = (
        f"{uri}/#/experiments/{run.info.experiment_id}/runs/{receipt.run_id}"
        if uri.startswith("http")
        else ""
    )
    return Result(
        receipt, read_json(root / EVALUATE / "metrics.json"), read_json(root / TRAIN / "training.json"),
        run.info.run_name, link, report(root, link),
    )  # fmt: skip


def report(root: Path, link: str) -> str:
    """Where report.html is to be seen; `link` is that of the run in the MLflow UI, or empty."""
    path = EVALUATE / "report.html"
    if not (root / path).is_file():
        return ""
    return f"{link}/artifacts/evaluation/report.html" if link else path.as_posix()


def show(result: Result) -> None:
    """Print the table that ends `convoy run`."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result.receipt.name} version {result.receipt.version}: {result.receipt.status}",
        show_header=False,
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in result.rows():
        table.add_row(label, value)
    Console().print(table, highlight=False)
    if not result.link:
        Console().print(
            "`make ui` opens the runs in MLflow · `convoy registry show` the lineage", highlight=False
        )
