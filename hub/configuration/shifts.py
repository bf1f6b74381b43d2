"""When a team works: shifts in its own time zone, and holidays."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from hub.configuration.hub_file import Table
from hub.sdk import TimeZone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _days(value: object) -> object:
    """``mon-fri`` and ``sat`` become names of days; a week may go round (``fri-mon``)."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    found: list[str] = []
    for part in parts:
        first, dash, last = part.partition("-") if isinstance(part, str) else ("", "", "")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f"must be days of {', '.join(DAYS)}, or from one to another")
        start = DAYS.index(first)
        found += [DAYS[(start + step) % 7] for step in range((DAYS.index(last) - start) % 7 + 1)]
    return tuple(dict.fromkeys(found))


def _hours(value: str) -> str:
    if _minutes(value) is None:
        raise ValueError("must be two times of day, from and to")
    return value


def _minutes(value: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", value)
    if found is None:
        return None
    first, last = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4]))
    return (first, last) if first < 1440 and last <= 1440 else None


def _holiday(value: object) -> object:
    # TOML has dates of its own, without quotes.
    text = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
    if not isinstance(text, str) or not re.fullmatch(r"(\d{4}-)?\d\d-\d\d", text):
        raise ValueError("must be a date, or month and day of every year")
    try:
        date.fromisoformat(text if len(text) == 10 else f"2024-{text}")  # a leap year: 02-29 is a day
    except ValueError:
        raise ValueError("there is no such day") from None
    return text


class Shift(Table):
    """Hours of some days. Hours that end before they begin go past midnight and belong to the day they begin on; equal
    ones go round the clock."""

    days: Annotated[tuple[str, ...], BeforeValidator(_days)] = Field(DAYS, examples=["mon-fri"])
    hours: Annotated[str, AfterValidator(_hours)] = Field(examples=["09:00-18:00"])
    time_zone: TimeZone = Field(examples=["Europe/Rome"])

    def covers(self, now: datetime, holidays: Collection[str]) -> bool:
        """True when this shift is on at ``now`` (aware) and did not begin on a holiday."""
        bounds = _minutes(self.hours)
        assert bounds is not None  # noqa: S101 - validated
        first, last = bounds
        length = (last - first) % 1440 or 1440
        zone = ZoneInfo(self.time_zone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days or is_holiday(day, holidays):
                continue
            begins, ends = _at(day, first, zone), _at(day, first + length, zone)
            if begins <= now < ends:
                return True
        return False


Holiday = Annotated[str, BeforeValidator(_holiday)]
"""``2026-12-25``, or ``12-25`` for every year."""


def is_holiday(day: date, holidays: Collection[str]) -> bool:
    """True when ``day`` is one of them."""
    written = day.isoformat()
    return written in holidays or written[5:] in holidays


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """A time by the wall clock of ``zone``: 09:00 is 09:00 on the day the clocks change, too."""
    days, rest = divmod(minutes, 1440)
    wall = datetime.combine(day + timedelta(days=days), datetime.min.time()) + timedelta(minutes=rest)
    return wall.replace(tzinfo=zone).astimezone(UTC)
