"""Cron expressions: what is wrong with one, and when it comes next, as Prefect's server reckons it."""

import asyncio
import os
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from convoy.errors import ConfigError

# name, least, most: https://man7.org/linux/man-pages/man5/crontab.5.html
_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_RANDOM = re.compile(
    r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE
)  # random and hashed fields, which the server does not take
_EXAMPLE = 'five fields: minute hour day month weekday, such as "0 2 * * *" for two at night'


def check(expression: str) -> str:
    """The expression, tidied.

    Raises:
        ConfigError: it is none; the field is named.
    """
    text = " ".join(expression.split())
    if text.casefold() in _NAMED:
        return text.casefold()
    fields = text.split(" ") if text else []
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"{expression!r} has {len(fields)} fields where cron has {len(_FIELDS)}", fix=f"give {_EXAMPLE}"
        )
    for place, (field, (name, least, most)) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[place] = field
        if not _known(" ".join(alone)):
            raise ConfigError(
                f"{field!r} is no {name} of cron ({least} to {most}, *, ranges 1-5, steps */5, lists 1,15)",
                where=f"field {place + 1} of {expression!r}",
                fix=f"give {_EXAMPLE}",
            )
    return text


def zone(name: str | None) -> str:
    """The name of a time zone in the IANA database; without one given, this machine's.

    Raises:
        ConfigError: there is no such zone.
    """
    if name is None:
        return _local()
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"no time zone is called {name!r}",
            where="--timezone",
            fix='use a name such as "Asia/Shanghai", "Europe/Berlin" or "UTC"',
        ) from None


def upcoming(expression: str, timezone: str, count: int, after: datetime) -> list[datetime]:
    """The next times, in the schedule's zone.

    Args:
        after: with a time zone; a time that is exactly this counts.

    Raises:
        ConfigError: such a day never comes.
    """
    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron=expression, timezone=timezone)
    try:
        dates = asyncio.run(schedule.get_dates(count, after))
    except ValueError:
        raise ConfigError(f"{expression!r} names a day that never comes", fix=f"give {_EXAMPLE}") from None
    return [datetime.fromtimestamp(each.timestamp(), ZoneInfo(timezone)) for each in dates]


def _known(expression: str) -> bool:
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=expression)
    except ValueError:
        return False
    return not _RANDOM.search(expression)


def _local() -> str:
    """This machine's zone; UTC where its name is not to be had."""
    link = Path("/etc/localtime")
    linked = str(link.resolve()).partition("zoneinfo/")[2] if link.exists() else ""
    for name in (os.environ.get("TZ", "").lstrip(":"), linked):
        try:
            if name:
                return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):
            continue
    return "UTC"
