"""The Prefect flow of a schedule: the pipeline at a commit, in a worktree of its own, on the newest data.

`convoy schedule add` makes a deployment of it. Nothing in the person's workspace is touched: not params.yaml,
dvc.lock, data or artifacts. What the run shares with it are DVC's cache and `.convoy`.
"""

import os
import threading
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Completed, Failed, Pending
from prefect.tasks import Task

from convoy import environment
from convoy.config.load import load
from convoy.errors import ConvoyError
from convoy.layout import PARAMS
from convoy.notify import runs as told
from convoy.pipeline import abandoned, history, lease, recorded, subflow, summary
from convoy.pipeline.causes import Ending
from convoy.pipeline.reconcile import reconcile
from convoy.schedule import arrivals, commits, record, running, taking, workplace
from convoy.schedule.arrivals import Listing
from convoy.schedule.plan import Plan
from convoy.schedule.record import Last
from convoy.schedule.running import PipelineFailed, Say
from convoy.schedule.workplace import Workplace

NOTHING, LEFT_OUT = "NothingNew", "LeftOut"


@flow(name="scheduled", validate_parameters=False, persist_result=False)
def scheduled(
    name: str,
    ref: str = "HEAD",
    push: bool = False,
    commit_lock: str | None = None,
    on_new_data: bool = False,
    watch: str | None = None,
    fetch: bool = False,
    settle: float = 60.0,
) -> State[Any]:
    """A run of the schedule `name`; the parameters are those of `convoy.schedule.plan.Plan`."""
    root = environment.project_root()
    environment.apply(root)
    # a later start finds out by this that the process is gone
    abandoned.claim(os.environ.get("PREFECT_API_URL", ""), str(_this().id))
    logger = get_run_logger()

    def say(text: str) -> None:
        logger.info("%s", text)

    plan = Plan(name, ref, push, commit_lock, on_new_data, watch, fetch, settle)
    try:
        with running.turn(root, plan) as mine:
            if not mine:
                return _left_out(root, say)
            _tell(name=name)  # the commit is added when it is known
            _drop_missed()
            return _run(plan, say)
    except ConvoyError as error:
        logger.error("%s", error)
        if not isinstance(error, PipelineFailed):  # which told of it
            told.failed(root, f"schedule {name}: {error}", command=f"convoy schedule show {name}")
        return Failed(message=str(error))


def _run(plan: Plan, say: Say) -> State[Any]:
    root = environment.project_root()
    last = record.read(root, plan.name)
    folder = plan.folder(root)
    listing = arrivals.listing(folder) if folder is not None else None
    if reason := running.nothing_new(root, plan, last, listing):
        return _nothing(reason, say)
    if folder is not None:
        listing = arrivals.settled(lambda: arrivals.listing(folder), plan.settle, say=say)
        if listing is None:
            return _nothing(f"{folder} is still changing; the next run looks again", say)
    with lease.project(root, f"schedule {plan.name}", say=say):
        reconcile(root, say=say)
        book = history.begin(root, f"schedule {plan.name}")
        try:
            state = _work(root, plan, last, listing, say)
        except ConvoyError as error:
            book.end(Ending(code=error.exit_code, message=str(error)))
            raise
        book.end(Ending(code=0))
    return state


def _work(root: Path, plan: Plan, last: Last | None, listing: Listing | None, say: Say) -> State[Any]:
    """A run that has the project to itself."""
    threading.Thread(target=import_module, args=["dvc.repo"], name="dvc").start()  # while git works
    commit = commits.resolve(root, plan.ref)
    with workplace.laid_out(root, commit) as place:
        config = load(place.project / PARAMS)
        retries = config.flow.retries
        say(f"{plan.ref} is {commit[:12]}, laid out in {place.project}")
        ready = running.mended(
            lambda: running.prepare(place, plan, last, listing, say), config.flow, retries, say
        )
        if isinstance(ready, str):
            return _nothing(ready, say)
        title = f"{plan.name} {ready.commit[:8]}"
        _tell(name=title)
        known = None
        if ready.done:
            known = recorded.find(place.project, config) or recorded.ask(place.project, config)
        if known is not None:
            made = known.receipt
            said = f"nothing changed: {_said(made.as_dict())}"
            told.ended(
                root, model=made.name, version=made.version, status=made.status, new=False,
                reason=made.verdict["reason"],
            )  # fmt: skip
        else:
            trusted = last is not None and last.checked == running.checked(place.project)
            options = [*(["--checked"] if trusted else []), "--fresh", *sorted(ready.fresh)]
            receipt = running.mended(
                lambda: _pipeline(place, plan, options, title), config.flow, min(retries, 1), say
            )
            said = _said(receipt)
        say(said)
        if plan.push:
            running.mended(lambda: taking.push(place, say), config.flow, retries, say)
        running.finish(place, plan, ready, listing, said, say)
    return Completed(name=NOTHING if known is not None else None, message=said)


def _pipeline(place: Workplace, plan: Plan, options: list[str], title: str) -> dict[str, Any]:
    """The pipeline as a subflow, in a process that runs the commit's own code."""
    variables = {subflow.PARENT: _stand_in(), subflow.NAME: title, summary.TITLE: title}
    return running.run_pipeline(place, options, variables, running.log_file(place.root, plan))


def _stand_in() -> str:
    """The task run that stands for the pipeline in this run; Prefect gives it the states of the subflow."""
    with get_client(sync_client=True) as client:
        made = client.create_task_run(
            Task(fn=_run, name="pipeline"),
            flow_run_id=_this().id,
            dynamic_key=os.urandom(4).hex(),
            name="pipeline",
            state=Pending(),
        )
    return str(made.id)


def _this() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run


def _tell(**facts: Any) -> None:
    """Change what the server shows of this run."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(_this().id, **facts)


def _left_out(root: Path, say: Say) -> State[Any]:
    who = ", ".join(str(holder) for holder in lease.holders(root))
    reason = f"the run before is still going{f': {who}' if who else ''}"
    say(reason)
    return Completed(name=LEFT_OUT, message=reason)


def _drop_missed() -> None:
    """Ticks of this schedule that no worker was there for: this run is for all of them."""
    run = _this()
    if run.deployment_id is None:
        return
    wanted = {
        "deployment_id": {"any_": [run.deployment_id]},
        "state": {"type": {"any_": ["SCHEDULED"]}},
        "expected_start_time": {"before_": datetime.now(UTC)},
    }
    missed: State[Any] = Cancelled(message="missed, as no worker was there; a later run did it")
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(wanted), limit=200)
        for each in found:
            if each.auto_scheduled:  # not one that a person asked for
                client.set_flow_run_state(each.id, missed, force=True)


def _nothing(reason: str, say: Say) -> State[Any]:
    say(reason)
    return Completed(name=NOTHING, message=reason)


def _said(receipt: dict[str, Any]) -> str:
    return (
        f"{receipt['name']} version {receipt['version']}: {receipt['status']}, {receipt['verdict']['reason']}"
    )
