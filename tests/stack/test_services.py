"""Command lines and environments of the services: secrets where they are needed, and nowhere else."""

from dataclasses import replace
from pathlib import Path

import pytest

from convoy.stack import postgres
from convoy.stack.services import Service, clients, services
from convoy.stack.settings import MLFLOW_ADMIN, MLFLOW_KEY, PREFECT_AUTH, SECRETS, Settings

CANARY = {name: f"canary of {name}" for name in SECRETS} | {
    PREFECT_AUTH: "team:canary of prefect",
    "AWS_SECRET_ACCESS_KEY": "canary of S3",
}
CANARY["PREFECT_API_AUTH_STRING"] = CANARY[PREFECT_AUTH]
GIVEN = {**CANARY, "PATH": "/bin", "MLFLOW_TRACKING_USERNAME": "lin"}
LOCAL = Settings(Path("/project"), "digits")
TEAM = replace(
    LOCAL, host="0.0.0.0", allowed=("team.example",), token_file=Path("/token"), artifacts="s3://models/x",
    databases=postgres.databases("postgresql://convoy:canary-of-the-backend@db:5433/team?sslmode=require"),
)  # fmt: skip


def named(settings: Settings, given: dict[str, str]) -> dict[str, Service]:
    return {service.name: service for service in services(settings, given)}


@pytest.mark.parametrize("settings", [LOCAL, TEAM], ids=["local", "team"])
def test_no_command_line_and_no_picture_of_a_service_shows_a_secret(settings: Settings) -> None:
    for service in services(settings, GIVEN):
        shown = f"{service.command} {service} {settings}"
        assert "canary" not in shown


def test_each_secret_reaches_only_who_needs_it() -> None:
    found = named(TEAM, GIVEN)

    def holds(secret: str) -> set[str]:
        return {name for name, service in found.items() if secret in " ".join(service.environment.values())}

    assert holds("canary-of-the-backend") == {"mlflow", "prefect"}
    assert holds(CANARY[MLFLOW_KEY]) == {"mlflow"}
    assert holds(CANARY[MLFLOW_ADMIN]) == {"mlflow"}
    assert holds("canary of prefect") == {"prefect", "worker", "serve"}
    assert holds("canary of S3") == {"mlflow", "worker"}
    assert holds(CANARY["MLFLOW_TRACKING_PASSWORD"]) == {"worker", "serve"}
    assert holds(CANARY["CONVOY_BACKEND"]) == set()


def test_without_passwords_nobody_is_asked_for_one() -> None:
    found = named(LOCAL, {"PATH": "/bin"})
    for service in found.values():
        assert not set(SECRETS) & set(service.environment)
    assert "MLFLOW_AUTH_CONFIG_PATH" not in found["mlflow"].environment
    assert clients(LOCAL, {}) == {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000", "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    }  # fmt: skip


def test_a_variable_that_the_user_has_for_another_server_does_not_mislead_the_stack() -> None:
    given = {"MLFLOW_TRACKING_URI": "http://elsewhere", "PREFECT_API_URL": "http://elsewhere/api"}
    for service in services(LOCAL, given):
        assert "elsewhere" not in " ".join(service.environment.values())


def test_on_one_machine_files_are_written_in_place_and_for_a_team_they_pass_through_the_server() -> None:
    local, team = (named(s, GIVEN)["mlflow"].environment for s in (LOCAL, TEAM))
    assert local["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == "file:///project/.convoy/mlflow/artifacts"
    assert local["MLFLOW_SERVE_ARTIFACTS"] == "false"
    assert team["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://models/x"
    assert team["MLFLOW_SERVE_ARTIFACTS"] == "true"


def test_this_machine_reaches_servers_on_all_addresses_over_loopback() -> None:
    assert named(TEAM, GIVEN)["mlflow"].address == "http://127.0.0.1:5000"
    assert "team.example:*" in named(TEAM, GIVEN)["mlflow"].environment["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert named(TEAM, GIVEN)["prefect"].environment["PREFECT_SERVER_UI_API_URL"] == (
        "http://team.example:4200/api"
    )


def test_the_model_can_be_left_out() -> None:
    assert [service.name for service in services(LOCAL, {}, serve=False)] == ["mlflow", "prefect", "worker"]
