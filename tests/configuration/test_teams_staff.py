"""Who works in a team and when: members, capacity, shifts, holidays; and whose value of a field holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.configuration import ConfigurationProblems, HubConfig, Member, Shift, load

HEAD = 'default_team = "care"\n[teams.care]\nsink = "acme-desk"\n'

Read = Callable[..., HubConfig]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(team, hub)`` loads a configuration with these lines in its only team."""

    def _read(team: str = "", hub: str = "") -> HubConfig:
        (tmp_path / "hub.toml").write_text(hub)
        (tmp_path / "teams.toml").write_text(HEAD + team)
        return load(tmp_path)

    return _read


def test_a_team_says_who_works_when_and_how_much(read: Read) -> None:
    """A member is a name or a table; a text stands for a list of one."""
    team = read(
        'members = ["anna@example.com", { agent = "bruno", skills = "refunds", languages = ["it", "en"], '
        "capacity = 3 }]\n"
        'languages = "it"\ncapacity = 10\nholidays = [2026-12-25, "01-01"]\n'
        'shifts = [{ days = ["mon-thu", "sat"], hours = "09:00-18:00", time_zone = "Europe/Rome" }]\n'
    ).teams.teams["care"]
    assert team.members == (
        Member(agent="anna@example.com"),
        Member(agent="bruno", skills=("refunds",), languages=("it", "en"), capacity=3),
    )
    assert (team.languages, team.capacity, team.holidays) == (("it",), 10, ("2026-12-25", "01-01"))
    assert team.shifts[0].days == ("mon", "tue", "wed", "thu", "sat")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("capacity = 0", "teams.care.capacity: must be at least 1, for example 10"),
        (
            'members = [{ agent = "a", skils = "x" }]',
            'teams.care.members[0].skils: unknown key; did you mean "skills"?',
        ),
        ("members = [{ skills = [] }]", 'teams.care.members[0].agent: is missing, for example "anna@example.com"'),
        (
            'shifts = [{ days = "mo-fr", hours = "09:00-18:00", time_zone = "Europe/Rome" }]',
            "teams.care.shifts[0].days: must be days of mon, tue, wed, thu, fri, sat, sun, or from one to another, "
            'for example "mon-fri"',
        ),
        (
            'shifts = [{ hours = "9-18", time_zone = "Europe/Rome" }]',
            'teams.care.shifts[0].hours: must be two times of day, from and to, for example "09:00-18:00"',
        ),
        (
            'shifts = [{ hours = "09:00-24:30", time_zone = "Europe/Rome" }]',
            'teams.care.shifts[0].hours: must be two times of day, from and to, for example "09:00-18:00"',
        ),
        (
            'shifts = [{ hours = "09:00-18:00", time_zone = "Rome" }]',
            'teams.care.shifts[0].time_zone: is not a time zone such as Europe/Rome, for example "Europe/Rome"',
        ),
        (
            'shifts = [{ hours = "09:00-18:00" }]',
            'teams.care.shifts[0].time_zone: is missing, for example "Europe/Rome"',
        ),
        ('holidays = ["12-25"]', "teams.care: holidays need shifts, which say the time zone: add shifts"),
        (
            'holidays = ["13-25"]',
            'teams.care.holidays[0]: there is no such day, for example ["12-25", "2027-04-05"]',
        ),
        (
            "holidays = [2026-12-25T10:00:00Z]",
            "teams.care.holidays[0]: must be a date, or month and day of every year, "
            'for example ["12-25", "2027-04-05"]',
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(read: Read, line: str, told: str) -> None:
    """The file, the key, what is wrong and an example."""
    with pytest.raises(ConfigurationProblems) as caught:
        read(line + "\n")
    assert str(caught.value) == f"teams.toml: {told}"


def shift(days: str, hours: str, zone: str = "Europe/Rome") -> Shift:
    """A shift as it is written."""
    return Shift.model_validate({"days": days, "hours": hours, "time_zone": zone})


@pytest.mark.parametrize(
    ("one", "at", "on"),
    [
        (shift("mon-fri", "09:00-18:00"), "2026-11-23T08:00", True),  # Monday, 09:00 in Rome
        (shift("mon-fri", "09:00-18:00"), "2026-11-23T07:59", False),
        (shift("mon-fri", "09:00-18:00"), "2026-11-23T17:00", False),
        (shift("mon-fri", "09:00-18:00"), "2026-07-20T07:00", True),  # summer time
        (shift("mon-fri", "09:00-18:00"), "2026-11-22T12:00", False),  # Sunday
        (shift("fri", "22:00-06:00"), "2026-11-28T04:30", True),  # Saturday morning belongs to Friday's
        (shift("fri", "22:00-06:00"), "2026-11-27T04:30", False),
        (shift("fri-mon", "18:00-24:00"), "2026-11-22T22:59", True),  # round the week
        (shift("mon", "00:00-00:00", "UTC"), "2026-11-23T23:59", True),  # round the clock
        (shift("mon", "00:00-00:00", "UTC"), "2026-11-24T00:00", False),
        (shift("sun", "01:00-05:00"), "2026-10-25T03:59", True),  # the night with an hour more
        (shift("sun", "01:00-05:00"), "2026-10-25T04:00", False),
    ],
)
def test_a_shift_is_by_the_wall_clock_of_its_zone(one: Shift, at: str, on: bool) -> None:
    """Weekdays, midnight and the change of the clocks; ``at`` is UTC."""
    assert one.covers(datetime.fromisoformat(at).replace(tzinfo=UTC), ()) is on


@pytest.mark.parametrize(
    ("at", "on"),
    [
        ("2026-12-24T20:00", True),  # Thursday's night
        ("2026-12-25T03:00", True),  # still Thursday's
        ("2026-12-25T20:00", False),
        ("2026-12-26T03:00", False),
        ("2027-12-25T20:00", False),
        ("2027-01-06T20:00", False),
        ("2028-01-06T20:00", True),
    ],
)
def test_on_a_holiday_no_shift_begins(read: Read, at: str, on: bool) -> None:
    """Of every year, or of one."""
    team = read(
        'shifts = [{ hours = "20:00-06:00", time_zone = "Europe/Rome" }]\nholidays = ["12-25", "2027-01-06"]\n'
    ).teams.teams["care"]
    assert team.on_shift(datetime.fromisoformat(at).replace(tzinfo=UTC)) is on


def test_a_team_without_shifts_always_works(read: Read) -> None:
    """As before there were shifts."""
    assert read().teams.teams["care"].on_shift(datetime(2026, 12, 25, 3, tzinfo=UTC))


def test_a_sink_says_whose_value_holds(read: Read) -> None:
    """It is the hub's key, not the connector's."""
    block = '[connections.acme-desk]\nconnector = "desk"\nwins = { priority = "hub", tags = "helpdesk" }\n'
    config = read(hub=block).connections["acme-desk"]
    assert (config.wins, config.settings) == ({"priority": "hub", "tags": "helpdesk"}, {})
    with pytest.raises(ConfigurationProblems) as caught:
        read(hub='[connections.acme-desk]\nconnector = "desk"\nwins = { priority = "agent", colour = "hub" }\n')
    assert [str(one) for one in caught.value.problems] == [
        'hub.toml: connections.acme-desk.wins.priority: must be "helpdesk" or "hub", for example { priority = "hub" }',
        'hub.toml: connections.acme-desk.wins.colour: must be "status", "priority", "group", "assignee" or "tags", '
        'for example { priority = "hub" }',
    ]
