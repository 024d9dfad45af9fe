"""What `convoy monitor` and its flow do: look, report, tell people, train again where that is wanted."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from convoy import notify
from convoy.io import read_json, write_json, write_text
from convoy.layout import STATE
from convoy.monitor import kept, labels, report, subject
from convoy.monitor.verdict import Verdict, judge, shown

if TYPE_CHECKING:
    from convoy.config.schema import Config

FOLDER = STATE / "monitor"
REPORT = FOLDER / "report.html"
NUMBERS = FOLDER / "report.json"
_STATE = FOLDER / "state.json"


def look(root: Path, config: "Config", model: str | None = None) -> tuple[Verdict, str]:
    """Judge the kept predictions of a model and write report.json and report.html.

    Args:
        model: a reference; None: the project's champion.

    Returns:
        The verdict, and a link to the model's run in the MLflow UI (empty where there is none).

    Raises:
        as `subject.find`.
    """
    watched = subject.find(root, config, model)
    rows = kept.read(root, watched.digest, config.monitor.window)
    verdict = judge(watched, rows, labels.load(root), config.monitor)
    write_json(root / NUMBERS, verdict.as_dict())
    write_text(root / REPORT, report.render(verdict, watched, rows, config.monitor))
    return verdict, watched.link


def follow_up(
    root: Path, config: "Config", verdict: Verdict, link: str, say: Callable[[str], None]
) -> int | None:
    """Tell people when drift begins, and, where `monitor.retrain` says so, run the pipeline.

    People are told once for a model that drifts, not at every look. The run takes the project's lease like
    any other, and its model must pass the gate.

    Returns:
        The exit code of `convoy run`; None where nothing was run.
    """
    with FileLock(root / FOLDER / "state.lock"):
        before = _state(root)
        news = verdict.status == "drifted" and (
            before.get("status") != "drifted" or before.get("digest") != verdict.digest
        )
        due = (
            verdict.status == "drifted"
            and config.monitor.retrain
            and time.time() - float(before.get("retrained", 0)) >= 3600 * config.monitor.retrain_hours
        )
        after = {**before, "status": verdict.status, "digest": verdict.digest}
        if verdict.status == "too few" and before.get("digest") == verdict.digest:
            after["status"] = before.get("status")  # an empty store does not end a drift
        if due:
            after["retrained"] = time.time()
        write_json(root / _STATE, after)
    if news:
        notify.send(root, _event(root, verdict, link, retrains=due))
    if not due:
        return None
    say("training again, as `monitor.retrain` says; the gate decides about the new model")
    # its output goes to stderr, so that --json stays JSON
    command = [sys.executable, "-c", "from convoy.cli import main; main()", "run"]
    return subprocess.run(command, cwd=root, stdout=2, check=False).returncode


def markdown(verdict: Verdict) -> str:
    """The verdict as a table, for a Prefect artifact."""
    lines = [f"# {verdict.model} {verdict.version}: {verdict.status}", "", verdict.reason, ""]
    lines += ["| measure | in the test | now | PSI | p (Holm) | |", "| --- | --- | --- | --- | --- | --- |"]
    for m in verdict.measures:
        cells = [
            m.name,
            shown(m.reference),
            shown(m.kept),
            f"{m.psi:.3f}",
            f"{m.adjusted:.4f}",
            "drift" if m.drifted else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _event(root: Path, verdict: Verdict, link: str, *, retrains: bool) -> notify.Event:
    more = "\ntraining again now; the gate decides about the new model" if retrains else ""
    return notify.Event(
        "drifted",
        f"{root.name}: {verdict.model} version {verdict.version} drifts",
        verdict.reason + more,
        link or str(REPORT),
        "convoy monitor",
    )


def _state(root: Path) -> dict[str, Any]:
    try:
        found = read_json(root / _STATE)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
