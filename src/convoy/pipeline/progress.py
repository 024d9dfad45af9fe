"""The train stage's epochs as a Prefect progress artifact, read from the lines that the stage prints."""

import logging
import re
from typing import Any

_EPOCH = re.compile(r"epoch +(\d+)/(\d+)  (.*)")
_log = logging.getLogger("convoy.progress")


class EpochArtifact:
    """Belongs to the task run in which it is told lines; a server that fails costs the artifact, no more."""

    def __init__(self) -> None:
        self._artifact: Any = None
        self._failed = False

    def line(self, text: str) -> None:
        """One line of a stage's output: where it tells of an epoch, the artifact moves on."""
        told = _EPOCH.match(text)
        if told:
            self._set(100 * int(told[1]) / int(told[2]), f"epoch {told[1]} of {told[2]}: {told[3].strip()}")

    def end(self) -> None:
        """The stage ended well, after all epochs or by a rule that stopped it before."""
        if self._artifact is not None:
            self._set(100.0, None)

    def _set(self, percent: float, description: str | None) -> None:
        if self._failed:
            return
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(percent, "training", description)
            else:
                update_progress_artifact(self._artifact, percent, description)
        except Exception as error:  # noqa: BLE001  # whatever the server has, training must not notice
            self._failed = True
            _log.warning("no progress in Prefect: %s", error)
