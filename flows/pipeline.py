"""The Prefect flow: one task a stage of dvc.yaml, then registration.

DVC decides what is stale; Prefect decides when, where and how often to retry. The graph is dvc.yaml's.
Run it with `convoy run`, or serve it from prefect.yaml.
"""

import argparse
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from prefect import flow, get_run_logger, tags, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.context import TagsContext
from prefect.flows import Flow
from prefect.runtime import flow_run, task_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from convoy import environment
from convoy.config.engine import RESUME
from convoy.config.load import load
from convoy.config.schema import Config
from convoy.data import fetch
from convoy.ending import leave
from convoy.errors import ConvoyError
from convoy.layout import PARAMS
from convoy.notify import runs as told
from convoy.owners import Owner
from convoy.pipeline import abandoned, ahead, causes, checking, dag, history, lease, summary, templates
from convoy.pipeline.causes import Ending
from convoy.pipeline.fresh import standing as standing_of
from convoy.pipeline.progress import EpochArtifact
from convoy.pipeline.reconcile import reconcile
from convoy.pipeline.repro import Outcome, end_all, ending, repro
from convoy.pipeline.subflow import begin
from convoy.registry import client

ROOT = Path(__file__).resolve().parent.parent
FLOW = "convoy run"  # for those who wait for it


class StageFailed(Exception):  # a state, and the exception that carries it
    """A stage did not end well; `outcome` says how."""

    def __init__(self, stage: str, outcome: Outcome) -> None:
        super().__init__(f"{stage}: {outcome.message}")
        self.outcome = outcome


def _worth_a_retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and causes.of(error.outcome).retry and not ending()


@task(cache_policy=NO_CACHE, retry_condition_fn=_worth_a_retry, task_run_name="{stage}")
def run_stage(stage: str, timeout: float, fresh: bool = False, follows: bool = False) -> bool:
    """Reproduce one stage; True where there was something to do.

    Args:
        fresh: it is known that there is nothing.
        follows: another stage is going to run after it.
    """
    logger, record = get_run_logger(), history.current(ROOT, FLOW)
    if fresh:
        logger.info("Stage '%s' didn't change, skipping", stage)
        record.add("stage end", stage=stage, ran=False, code=0)
        return False
    epochs = EpochArtifact()
    record.add("stage", stage=stage, attempt=task_run.run_count)

    def line(text: str) -> None:
        logger.info("%s", text)
        epochs.line(text)

    # what was begun anew once is gone on with after a failure
    again = {RESUME: "exact"} if task_run.run_count > 1 and os.environ.get(RESUME) == "restart" else None
    outcome = repro(ROOT, stage, timeout=timeout, line=line, variables=again, follows=follows)
    record.add("stage end", stage=stage, **asdict(outcome))
    if not outcome.ok:
        raise StageFailed(stage, outcome)
    epochs.end()
    return outcome.ran


@task(cache_policy=NO_CACHE, task_run_name="check")
def check() -> None:
    """What can be known to fail is told before the first stage that takes long."""
    checking.check(ROOT)


@task(cache_policy=NO_CACHE, task_run_name="get {name}")
def get_data(name: str) -> None:
    """Write a data set that convoy can make by itself, or find that it is there; DVC caches it."""
    dag.keep(ROOT, fetch.get(name, ROOT))


@task(cache_policy=NO_CACHE, task_run_name="register")
def register(config: Config) -> summary.Result:
    """Bring MLflow up to date with the artifacts, then register the bundle and let the gate decide."""
    return summary.conclude(ROOT, config)


def _tell_failure(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    del flow
    error = state.result(raise_on_failure=False) if state.is_failed() else None
    if error is not None or flow_run.deployment_id:  # a crash that nobody watches, not a person's Ctrl-C
        told.failed(ROOT, str(error or state.message or ""), link=_link(flow_run), command="convoy explain")


def _link(run: FlowRun) -> str:
    """To the run in Prefect's UI, where a standing server has one."""
    api = os.environ.get("PREFECT_API_URL", "")
    return f"{api.removesuffix('/api')}/runs/flow-run/{run.id}" if run.deployment_id and api else ""


@flow(
    name="convoy",
    on_failure=[_tell_failure],
    on_crashed=[_tell_failure],
    task_runner=ThreadPoolTaskRunner(max_workers=4),  # type: ignore[arg-type]  # Prefect's own generic
    validate_parameters=False,
    persist_result=False,
)
def pipeline(checked: bool = False, fresh: list[str] | None = None) -> summary.Result:
    """All stages of dvc.yaml in the order of its graph, then registration.

    Args:
        checked: the caller has made the preflight checks already.
        fresh: stages that the caller knows to be up to date, with all that they come from; None: ask DVC.
    """
    environment.apply(ROOT)
    os.chdir(ROOT)
    with lease.project(ROOT, FLOW, say=get_run_logger().info):
        if not os.environ.get(history.RUN):  # `convoy run` has done it
            reconcile(ROOT, say=get_run_logger().warning)
        record = history.current(ROOT, FLOW)
        server = os.environ.get("PREFECT_API_URL", "")
        abandoned.claim(server, flow_run.id)
        record.add("flow", name=flow_run.name, id=flow_run.id, server=server, **Owner.of().record())
        try:
            # the tag of the flow run is not for its tasks: Prefect would ask for a limit of each, 2 s a time
            with TagsContext(current_tags=set()):
                result = _conducted(checked, fresh)
        except StageFailed as error:
            record.end(error.outcome)
            raise
        except ConvoyError as error:
            record.end(Ending(code=error.exit_code, message=str(error)))
            raise
        except Exception as error:
            record.end(Ending(code=None, message=f"{type(error).__name__}: {error}"))
            raise
        except BaseException:  # a signal, which Prefect may have turned into something of its own
            cancelled = abandoned.cancelled(server, flow_run.id)
            record.end(Ending(code=None, signal=signal.SIGTERM, cancelled=cancelled))
            raise
        refusal = result.receipt.refusal()
        record.end(Ending(code=result.exit_code, message=str(refusal or "")))
        return result


def _conducted(checked: bool, fresh: list[str] | None) -> summary.Result:
    config = load(ROOT / PARAMS)
    templates.check(ROOT, config)
    checks = check.submit() if fresh is not None and not checked else None  # else below
    if config.data.source in fetch.names():
        get_data.submit(config.data.source).result()
    standing = None if fresh is not None else standing_of(ROOT)
    graph = standing.graph if standing else dag.graph(ROOT)
    known = standing.fresh if standing else frozenset(fresh or [])
    if graph.keys() - known:
        if checks is None and not checked:
            checks = check.submit()
        client.warm()
        ahead.begin(ROOT)  # behind what sets variables: a stage of another environment begins anew
    try:
        _run(config, graph, known, checks)
    except BaseException as error:
        if not isinstance(error, Exception):  # a signal: Prefect would wait for what the running stages do
            end_all()
        raise
    finally:
        ahead.drop()
    result = register.submit(config).result()
    create_markdown_artifact(key="result", markdown=result.markdown, description="What this run made")
    made = result.receipt
    told.ended(
        ROOT, model=made.name, version=made.version, status=made.status, new=made.new,
        reason=made.verdict["reason"], link=result.link, fix=made.verdict.get("fix") or "",
    )  # fmt: skip
    return result


def _run(config: Config, graph: dag.Graph, fresh: frozenset[str], checks: Any) -> None:
    """A task for each stage, as soon as what it needs is done; those that are fresh only say so.

    The checks, where there are any, go on beside the first stage, which reads the data; the others wait.
    """
    futures: dict[str, Any] = {}
    stale = [stage for stage in graph if stage not in fresh]
    for stage, needs in graph.items():
        job = run_stage.with_options(
            name=stage,
            retries=config.flow.retries,
            retry_delay_seconds=[config.flow.retry_delay_seconds * 2**n for n in range(config.flow.retries)],
        )
        upstream = [futures[need] for need in sorted(needs)]
        if checks is not None and needs:
            upstream.append(checks)
        futures[stage] = job.submit(  # type: ignore[call-overload]
            stage, config.flow.stage_timeout_seconds, stage in fresh, stage in stale[:-1], wait_for=upstream
        )
    for future in [*([checks] if checks is not None else []), *futures.values()]:
        future.result()


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C and SIGTERM end the running stages first; Prefect then records the flow run as crashed."""
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    end_all()
    raise SystemExit(128 + number)


def main() -> int:
    """Run the flow here; the exit code is the failed stage's, or 6 where the gate refused."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checked", action="store_true", help="the preflight checks have been made")
    parser.add_argument("--fresh", nargs="*", metavar="STAGE", help="stages that are known to be up to date")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        # a heartbeat tells a server of a lost worker; a flow that runs here would only wait a second for it
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), tags(abandoned.tag()):
            result: summary.Result = begin(pipeline, checked=options.checked, fresh=options.fresh)
    except ConvoyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except StageFailed as error:
        sys.stderr.write(f"{error}\n")
        return error.outcome.code or 1
    summary.show(result)
    return result.exit_code


if __name__ == "__main__":
    leave(main())
