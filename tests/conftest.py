"""Shared by all tests: no network, no telemetry, toy data made in place."""

import os
from pathlib import Path

import pytest

for _name, _value in {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}.items():
    os.environ[_name] = _value  # before any of these tools is imported
for _name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
    os.environ.pop(_name, None)

ROOT = Path(__file__).resolve().parent.parent
_SERVERS = (
    "tests/faults/",
    "tests/schedule/",
    "tests/stack/",
    "tests/monitor/",
    "tests/notify/",
    "tests/registry/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests of what surrounds the stages: they start servers, kill them, and want a quiet machine."""
    for item in items:
        if item.nodeid.startswith(_SERVERS) and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout that is tested."""
    return ROOT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data sets; tests that use it carry the marker `realdata`."""
    folder = Path(os.environ.get("CONVOY_REALDATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets are not at {folder}; CONVOY_REALDATA names another place")
    return folder
