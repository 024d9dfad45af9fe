"""Schedules on a Prefect server: a deployment of the flow `scheduled` each, with one cron schedule.

The server knows everything about a schedule; nothing of it lies in the project. Deployments of other
projects on the same server are told apart by the folder in which they run.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from convoy import environment
from convoy.errors import ConfigError, ResourceError
from convoy.schedule.plan import FLOW, Plan
from convoy.stack.services import POOL

FLOW_NAME = "scheduled"
_TAG = "convoy schedule"
_STEP = "prefect.deployments.steps.set_working_directory"


@dataclass(frozen=True)
class Run:
    """A run of a schedule.

    Attributes:
        id: Prefect's.
        state: Prefect's name of it.
        said: its message.
        when: when it was to begin.
    """

    id: str
    name: str
    state: str
    said: str
    when: datetime | None


@dataclass(frozen=True)
class Schedule:
    """A schedule as the server has it.

    Attributes:
        active: it makes runs.
        root: the project in whose folder it runs.
    """

    plan: Plan
    cron: str
    timezone: str
    active: bool
    root: Path


@contextmanager
def server(root: Path) -> Iterator["Server"]:
    """The Prefect server of this project: that of PREFECT_API_URL, or of the running `convoy up`.

    Raises:
        ResourceError: there is none, or it does not answer.
    """
    url = os.environ.get("PREFECT_API_URL") or environment.of_stack(root).get("PREFECT_API_URL")
    if not url:
        raise ResourceError(
            "schedules need a Prefect server that stands, and none is running for this project",
            where=str(root),
            fix="start `convoy up` in another terminal; or set PREFECT_API_URL",
        )
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError
    from prefect.settings import PREFECT_API_URL, temporary_settings

    try:
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            yield Server(client, root)
    except PrefectHTTPStatusError as error:
        answer = error.response
        raise ResourceError(
            f"the Prefect server refused: {answer.status_code} {answer.text[:200]}",
            where=url,
            fix="compare its version with this one: `prefect version`",
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        raise ResourceError(
            f"the Prefect server does not answer: {str(error).splitlines()[0][:200]}",
            where=url,
            fix="start `convoy up`, or mend PREFECT_API_URL",
        ) from error


class Server:
    """The schedules of one project on a Prefect server."""

    def __init__(self, client: Any, root: Path) -> None:
        self._client = client
        self._root = root

    def add(self, plan: Plan, cron: str, timezone: str) -> bool:
        """Make or change a schedule; its other settings become those of `plan`. False where it was there.

        Raises:
            ConfigError: another project on this server has one of that name.
        """
        from prefect.client.schemas.actions import DeploymentScheduleCreate
        from prefect.client.schemas.schedules import CronSchedule

        before = self._find(plan.name)
        if before is not None and _root_of(before) != self._root:
            raise ConfigError(
                f"a schedule {plan.name!r} on this server belongs to another project",
                where=str(_root_of(before)),
                fix="choose another name: --name",
            )
        self._ensure_pool()
        active = before is None or not before.paused
        made = self._client.create_deployment(
            self._client.create_flow_from_name(FLOW_NAME),
            plan.name,
            schedules=[
                DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone=timezone), active=active)
            ],
            # No concurrency limit of Prefect's: its holder is ended where the server was away or started anew
            # when the place is to be renewed, and a crash keeps the place for minutes. See `running.turn`.
            parameters=plan.parameters(),
            description=f"convoy schedule of {self._root}",
            work_pool_name=POOL,
            tags=[_TAG],
            path=str(self._root),
            entrypoint=f"{FLOW.as_posix()}:scheduled",
            pull_steps=[{_STEP: {"directory": str(self._root)}}],
            enforce_parameter_schema=False,
            paused=not active,
            # said in full, the worker starts one Python instead of two
            job_variables={
                "command": f'"{sys.executable}" -m prefect.engine',
                "working_dir": str(self._root),
            },
        )
        stale = self._client.read_deployment_schedules(made)
        for each in stale:
            if (each.schedule.cron, each.schedule.timezone) != (cron, timezone):
                self._client.delete_deployment_schedule(made, each.id)
        return before is None

    def all(self) -> list[Schedule]:
        """In the order of their names."""
        return [_schedule(each) for each in self._deployments() if _root_of(each) == self._root]

    def get(self, name: str) -> Schedule:
        """Raises:
        ConfigError: there is none.
        """
        return _schedule(self._own(name))

    def runs(self, name: str, limit: int) -> list[Run]:
        """Those that began, or were left out; the newest first."""
        from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
        from prefect.client.schemas.sorting import FlowRunSort

        found = self._client.read_flow_runs(
            deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [self._own(name).id]}}),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"not_any_": ["SCHEDULED"]}}}),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=limit,
        )
        return [
            Run(str(each.id),
                each.name, each.state_name or "", (each.state.message or "") if each.state else "",
                each.expected_start_time)
            for each in found
        ]  # fmt: skip

    def set_active(self, name: str, active: bool) -> None:
        """Pause or resume; runs that were planned go with a pause.

        Raises:
            ConfigError: there is none.
        """
        found = self._own(name)
        for each in found.schedules:
            self._client.update_deployment_schedule(found.id, each.id, active=active)
        (self._client.resume_deployment if active else self._client.pause_deployment)(found.id)

    def start(self, name: str) -> str:
        """A run now, beside those that are planned; its id.

        Raises:
            ConfigError: there is none.
        """
        return str(self._client.create_flow_run_from_deployment(self._own(name).id).id)

    def remove(self, name: str) -> None:
        """The schedule and the runs that were planned; runs of the past stay.

        Raises:
            ConfigError: there is none.
        """
        found = self._own(name)
        for each in found.schedules:
            self._client.delete_deployment_schedule(found.id, each.id)
        self._client.delete_deployment(found.id)

    def workers(self) -> int:
        """How many workers of the pool are there to start runs."""
        found = self._client.read_workers_for_work_pool(POOL)
        return sum(1 for each in found if str(getattr(each.status, "value", each.status)) == "ONLINE")

    def _ensure_pool(self) -> None:
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
        from prefect.workers.process import ProcessWorker

        try:
            self._client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            try:
                self._client.create_work_pool(
                    WorkPoolCreate(name=POOL, type="process", base_job_template=template)
                )
            except ObjectAlreadyExists:
                return

    def _deployments(self) -> list[Any]:
        from prefect.client.schemas.filters import FlowFilter

        wanted = FlowFilter.model_validate({"name": {"any_": [FLOW_NAME]}})
        found = self._client.read_deployments(flow_filter=wanted, limit=200)
        return sorted(found, key=lambda each: each.name)

    def _find(self, name: str) -> Any | None:
        return next((each for each in self._deployments() if each.name == name), None)

    def _own(self, name: str) -> Any:
        found = self._find(name)
        if found is None or _root_of(found) != self._root:
            known = [each.plan.name for each in self.all()]
            raise ConfigError(
                f"this project has no schedule {name!r}",
                fix=f"choose one of: {', '.join(known)}" if known else "`convoy schedule add` makes one",
            )
        return found


def _schedule(deployment: Any) -> Schedule:
    plan = Plan.of({"name": deployment.name, **deployment.parameters})
    first = next(iter(deployment.schedules), None)
    cron = getattr(first.schedule, "cron", "") if first else ""
    zone = (getattr(first.schedule, "timezone", None) if first else None) or "UTC"
    active = bool(first and first.active and not deployment.paused)
    return Schedule(plan, cron, zone, active, _root_of(deployment))


def _root_of(deployment: Any) -> Path:
    for step in deployment.pull_steps or []:
        if _STEP in step:
            return Path(step[_STEP]["directory"])
    return Path(deployment.path or "/")
