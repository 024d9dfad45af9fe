"""A pipeline run that another flow run started in a process of its own: linked to it, named by it.

The variables are set by `convoy.schedule.running`; without them a pipeline run is nobody's.
"""

import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from convoy.io import write_json
from convoy.pipeline.server import die_with_parent

PARENT = "CONVOY_PARENT_TASK"  # the task run that stands for this run in the other one
PARENT_PROCESS = "CONVOY_PARENT_PROCESS"  # this one ends with it
NAME = "CONVOY_RUN_NAME"
RESULT = "CONVOY_RESULT"  # the file that gets the receipt


def begin(flow: Any, **parameters: Any) -> Any:
    """Run a flow, as a part of another run where one started this process; its result.

    Args:
        flow: returns a `summary.Result`.
    """
    parent = os.environ.get(PARENT)
    if not parent:
        return flow(**parameters)
    _end_with(int(os.environ[PARENT_PROCESS]))
    from prefect.client.orchestration import get_client
    from prefect.context import TagsContext
    from prefect.flow_engine import run_flow
    from prefect.states import Pending

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(
            flow,
            parameters=parameters,
            name=os.environ[NAME],
            parent_task_run_id=UUID(parent),
            tags=TagsContext.get().current_tags,
            state=Pending(),
        )
    result: Any = run_flow(flow, flow_run=run, parameters=parameters)
    write_json(
        Path(os.environ[RESULT]),
        {**result.receipt.as_dict(), "run_name": result.run_name, "link": result.link},
    )
    return result


def _end_with(parent: int) -> None:
    arrange = die_with_parent()
    if arrange is not None:
        arrange()
    if os.getppid() != parent:  # it ended before that
        sys.exit(143)
