"""The Prefect flow: one task a stage of dvc.yaml, then registration.

DVC decides what is stale; Prefect decides when, where and how often to retry. The graph is dvc.yaml's.
Run it with `convoy run`, or serve it from prefect.yaml.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from convoy import environment
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.data import fetch
from convoy.errors import ConvoyError
from convoy.layout import PARAMS
from convoy.pipeline import dag, summary
from convoy.pipeline.repro import Outcome, end_all, repro

ROOT = Path(__file__).resolve().parent.parent
RETRYABLE = (None, 5)  # ended from outside, or short of a resource; a wrong parameter stays wrong


class StageFailed(Exception):  # a state, and the exception that carries it
    """A stage did not end well; `outcome` says how."""

    def __init__(self, stage: str, outcome: Outcome) -> None:
        super().__init__(f"{stage}: {outcome.message}")
        self.outcome = outcome


def _worth_a_retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.outcome.code in RETRYABLE


@task(cache_policy=NO_CACHE, retry_condition_fn=_worth_a_retry, task_run_name="{stage}")
def run_stage(stage: str, timeout: float) -> bool:
    """Reproduce one stage; True where there was something to do."""
    logger = get_run_logger()
    outcome = repro(ROOT, stage, timeout=timeout, line=lambda text: logger.info("%s", text))
    if not outcome.ok:
        raise StageFailed(stage, outcome)
    return outcome.ran


@task(cache_policy=NO_CACHE, task_run_name="get {name}")
def get_data(name: str) -> None:
    """Write a data set that convoy can make by itself, or find that it is there; DVC caches it."""
    dag.keep(ROOT, fetch.get(name, ROOT))


@task(cache_policy=NO_CACHE, task_run_name="register")
def register(config: Config) -> summary.Result:
    """Bring MLflow up to date with the artifacts, then register the bundle and let the gate decide."""
    return summary.conclude(ROOT, config)


@flow(
    name="convoy",
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type]  # Prefect's own generic
    validate_parameters=False,
    persist_result=False,
)
def pipeline(checked: bool = False) -> summary.Result:
    """All stages of dvc.yaml in the order of its graph, then registration.

    Args:
        checked: the caller has made the preflight checks already.
    """
    environment.apply(ROOT)
    os.chdir(ROOT)
    config = load(ROOT / PARAMS)
    if not checked:
        from convoy.pipeline.preflight import preflight

        preflight(config)
    before = [get_data.submit(config.data.source)] if config.data.source in fetch.names() else []
    futures: dict[str, Any] = {}
    for stage, needs in dag.graph(ROOT).items():
        job = run_stage.with_options(
            name=stage, retries=config.flow.retries, retry_delay_seconds=config.flow.retry_delay_seconds
        )
        upstream = [*(futures[need] for need in sorted(needs)), *before]
        futures[stage] = job.submit(stage, config.flow.stage_timeout_seconds, wait_for=upstream)  # type: ignore[call-overload]
    for future in [*before, *futures.values()]:
        future.result()
    result = register.submit(config).result()
    create_markdown_artifact(key="result", markdown=result.markdown, description="What this run made")
    return result


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C and SIGTERM end the running stages first; Prefect then records the flow run as crashed."""
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    end_all()
    raise SystemExit(128 + number)


def main() -> int:
    """Run the flow here; the exit code is the failed stage's, or 6 where the gate refused."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        # a heartbeat tells a server of a lost worker; a flow that runs here would only wait a second for it
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            result = pipeline(checked="--checked" in sys.argv[1:])
    except ConvoyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except StageFailed as error:
        sys.stderr.write(f"{error}\n")
        return error.outcome.code or 1
    summary.show(result)
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
