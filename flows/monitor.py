"""The Prefect flow of `convoy monitor`, for a schedule: look, tell people, run the pipeline where wanted.

A flow run ends in the state Drifted, which counts as completed: the look went well, what it saw did not.
"""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from convoy import environment
from convoy.config.load import load
from convoy.layout import PARAMS
from convoy.monitor import watch

ROOT = Path(__file__).resolve().parent.parent


@flow(name="convoy-monitor", validate_parameters=False, persist_result=False)
def monitor(model: str | None = None) -> State[None]:
    """Compare kept predictions with the test of their model.

    Args:
        model: as models:/NAME@ALIAS; None: the project's champion.
    """
    environment.apply(ROOT)
    logger = get_run_logger()
    config = load(ROOT / PARAMS)
    verdict, link = watch.look(ROOT, config, model)
    logger.info("%s: %s", verdict.status, verdict.reason)
    create_markdown_artifact(key="drift", markdown=watch.markdown(verdict), description="The last look")
    watch.follow_up(ROOT, config, verdict, link, logger.info)
    return Completed(message=verdict.reason, name="Drifted" if verdict.status == "drifted" else "Completed")


if __name__ == "__main__":
    monitor()
