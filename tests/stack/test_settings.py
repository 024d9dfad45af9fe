"""Nothing is open to other machines without passwords for all servers."""

from dataclasses import replace
from pathlib import Path

import pytest

from convoy.errors import ConfigError
from convoy.stack.settings import MLFLOW_ADMIN, MLFLOW_KEY, PREFECT_AUTH, Settings, check

LOCAL = Settings(Path("/project"), "digits")
OPEN = replace(LOCAL, host="0.0.0.0", allowed=("team.example",), token_file=Path("/token"))
SECRETS = {
    MLFLOW_KEY: "a key of some length",
    MLFLOW_ADMIN: "a long password",
    PREFECT_AUTH: "team:a long password",
}


def refusal(settings: Settings, environment: dict[str, str], *, serve: bool = True) -> str:
    with pytest.raises(ConfigError) as caught:
        check(settings, environment, serve=serve)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_loopback_needs_no_passwords() -> None:
    check(LOCAL, {}, serve=True)
    check(replace(LOCAL, host="::1"), {}, serve=True)


def test_all_that_is_missing_is_told_at_once() -> None:
    told = refusal(replace(LOCAL, host="0.0.0.0"), {})
    for name in (*SECRETS, "--token-file", "--allowed-host"):
        assert name in told


def test_with_all_set_it_may_be_open() -> None:
    check(OPEN, SECRETS, serve=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "host.that.nobody.knows.invalid"])
@pytest.mark.parametrize("name", SECRETS)
def test_each_password_is_needed_by_itself(name: str, host: str) -> None:
    rest = {other: value for other, value in SECRETS.items() if other != name}
    assert name in refusal(replace(OPEN, host=host), rest)


@pytest.mark.parametrize(
    ("name", "weak"),
    [(MLFLOW_KEY, "short"), (MLFLOW_ADMIN, "passw0rd"), (PREFECT_AUTH, "no colon at all"),
     (PREFECT_AUTH, "team:shorty"), (PREFECT_AUTH, ":a long password")],
)  # fmt: skip
def test_weak_passwords_are_none_and_not_repeated(name: str, weak: str) -> None:
    told = refusal(OPEN, {**SECRETS, name: weak})
    assert name in told
    assert weak not in told


def test_a_model_that_is_not_served_needs_no_token() -> None:
    without = replace(OPEN, token_file=None)
    check(without, SECRETS, serve=False)
    assert "--no-serve" in refusal(without, SECRETS)


def test_one_address_is_its_own_name() -> None:
    check(replace(OPEN, host="192.168.1.7", allowed=()), SECRETS, serve=True)
    assert "--allowed-host" in refusal(replace(OPEN, allowed=()), SECRETS)


@pytest.mark.parametrize("name", [MLFLOW_KEY, MLFLOW_ADMIN])
def test_half_a_protection_is_refused_on_loopback_too(name: str) -> None:
    other = {MLFLOW_KEY: MLFLOW_ADMIN, MLFLOW_ADMIN: MLFLOW_KEY}[name]
    assert other in refusal(LOCAL, {name: SECRETS[name]})
