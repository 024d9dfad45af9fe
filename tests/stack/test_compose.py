"""deploy/compose.yaml starts what `convoy up` starts, in the same way, and holds no secret."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from convoy.environment import variables
from convoy.stack.services import Service, services
from convoy.stack.settings import MLFLOW_ADMIN, MLFLOW_KEY, PREFECT_AUTH, SECRETS
from tests.stack.test_services import GIVEN, TEAM

# What a container has its own way of: folders, and what the user sets.
OWN = {"PREFECT_HOME", "MLFLOW_TRACKING_USERNAME", "PATH", "MPLCONFIGDIR"}
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load((repository / "deploy/compose.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def supervised() -> dict[str, Service]:
    return {service.name: service for service in services(TEAM, GIVEN)}


def settings_of(service: Service) -> set[str]:
    """Names that the supervisor sets for a service beyond what it sets for all."""
    everybody = set(variables(TEAM.root)) - {"MLFLOW_TRACKING_URI"}  # which is not for all
    mine = {name for name in service.environment if name.startswith(("MLFLOW_", "PREFECT_", "CONVOY_STACK_"))}
    return (mine | (set(service.environment) & {"PGPASSWORD"})) - everybody - OWN


@pytest.mark.parametrize("name", ["mlflow", "prefect", "worker", "serve"])
def test_a_container_has_every_setting_of_the_supervised_service(
    name: str, compose: dict[str, Any], supervised: dict[str, Service]
) -> None:
    wanted = settings_of(supervised[name])
    if name == "serve":  # asks MLflow alone
        wanted -= {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING"}
    assert wanted <= set(compose["services"][name]["environment"])


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_switches_have_the_same_values(
    name: str, compose: dict[str, Any], supervised: dict[str, Service]
) -> None:
    written = compose["services"][name]["environment"]
    switches = {
        k: v for k, v in supervised[name].environment.items() if v in ("true", "false") and k in written
    }
    assert switches
    assert {key: written[key] for key in switches} == switches


@pytest.mark.parametrize("name", ["mlflow", "prefect", "worker"])
def test_the_commands_are_the_supervisors(
    name: str, compose: dict[str, Any], supervised: dict[str, Service]
) -> None:
    command = list(supervised[name].command[1:])
    if "--name" in command:  # a container's host name is its own
        del command[command.index("--name") : command.index("--name") + 2]
    assert compose["services"][name]["command"] == ["python", *command]


def test_the_model_is_served_with_the_same_options(
    compose: dict[str, Any], supervised: dict[str, Service]
) -> None:
    def options(command: list[str]) -> set[str]:
        return {part for part in command[command.index("serve") :] if part.startswith("--")}

    assert options(compose["services"]["serve"]["command"]) >= options(list(supervised["serve"].command))


def test_every_secret_must_be_given_and_none_is_written(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name in SECRETS and name != "CONVOY_BACKEND":
                match = VARIABLE.fullmatch(value)
                assert match, name
                assert match[2] == ":?", name
    for name in (MLFLOW_KEY, MLFLOW_ADMIN, PREFECT_AUTH):
        assert any(name in service.get("environment", {}) for service in compose["services"].values())
    assert "@" not in re.sub(r"//\w+@", "//", str(compose)).replace("}@champion", "")  # no user:password@


def test_ports_are_published_on_loopback_unless_an_address_is_named(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("${TEAM_ADDRESS:-127.0.0.1}:") for port in ports)
    assert "ports" not in compose["services"]["postgres"]


def test_the_example_names_every_variable_and_no_value_of_a_secret(repository: Path) -> None:
    text = (repository / "deploy/compose.yaml").read_text(encoding="utf-8")
    example = (repository / "deploy/.env.example").read_text(encoding="utf-8")
    named = dict(re.findall(r"^(?:# )?([A-Z_0-9]+)=(.*)$", example, re.MULTILINE))
    used = {match[1] for match in VARIABLE.finditer(text)} - {"CONVOY_VERSION"}
    assert used | {"SERVE_TOKEN"} == set(named)
    assert all(
        not named[name] for name in named if name in (*SECRETS, "SERVE_TOKEN", "AWS_SECRET_ACCESS_KEY")
    )


def test_the_image_holds_neither_secrets_nor_state(repository: Path) -> None:
    ignored = (repository / ".dockerignore").read_text().split()
    assert {"deploy/.env", ".convoy", ".prefect", ".git"} <= set(ignored)
    assert "/deploy/.env" in (repository / ".gitignore").read_text().split()
