"""Cron expressions: what is refused and why, and the times that the server will keep."""

from datetime import UTC, datetime

import pytest

from convoy.errors import ConfigError
from convoy.schedule import cron


@pytest.mark.parametrize(
    ("given", "tidied"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("  */5   * * * * ", "*/5 * * * *"),
        ("0 9 * * mon-fri", "0 9 * * mon-fri"),
        ("30 4 1,15 mar *", "30 4 1,15 mar *"),
        ("@Daily", "@daily"),
    ],
)
def test_what_cron_knows_is_taken(given: str, tidied: str) -> None:
    assert cron.check(given) == tidied


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "has 0 fields where cron has 5"),
        ("0 2 * *", "has 4 fields"),
        ("0 0 2 * * *", "has 6 fields"),
        ("99 2 * * *", "'99' is no minute of cron"),
        ("0 24 * * *", "'24' is no hour of cron"),
        ("0 2 32 * *", "'32' is no day of the month"),
        ("0 2 * 13 *", "'13' is no month"),
        ("0 2 * * noday", "'noday' is no day of the week"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("H 2 * * *", "'H' is no minute"),
        ("R(0-10) * * * *", "is no minute"),
        ("@often", "has 1 fields"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_its_field(given: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        cron.check(given)
    assert told in str(refused.value)
    assert "0 2 * * *" in refused.value.fix


def test_a_zone_is_one_of_the_database_and_by_default_this_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cron.zone("Asia/Shanghai") == "Asia/Shanghai"
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert cron.zone(None) == "Europe/Berlin"
    with pytest.raises(ConfigError, match="no time zone is called 'Beijing'"):
        cron.zone("Beijing")


def test_the_next_times_are_told_in_the_schedule_s_zone() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # eight in the evening in Shanghai
    times = cron.upcoming("0 2 * * *", "Asia/Shanghai", 3, now)
    assert [each.isoformat() for each in times] == [
        "2026-03-02T02:00:00+08:00",
        "2026-03-03T02:00:00+08:00",
        "2026-03-04T02:00:00+08:00",
    ]


def test_a_daily_time_stays_where_it_is_when_the_clocks_change() -> None:
    """Berlin leaves winter time on 29 March 2026 at 02:00."""
    now = datetime(2026, 3, 28, 0, 0, tzinfo=UTC)
    times = cron.upcoming("0 9 * * *", "Europe/Berlin", 3, now)
    assert [(each.hour, each.utcoffset()) for each in times] == [
        (9, times[0].utcoffset()), (9, times[1].utcoffset()), (9, times[2].utcoffset()),
    ]  # fmt: skip
    assert times[0].utcoffset() != times[1].utcoffset()


def test_a_day_that_never_comes_is_said() -> None:
    with pytest.raises(ConfigError, match="never comes"):
        cron.upcoming("0 0 31 2 *", "UTC", 1, datetime(2026, 1, 1, tzinfo=UTC))
