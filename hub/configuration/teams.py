"""teams.toml: which team answers what, and where it works."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from hub.configuration.hub_file import Table
from hub.configuration.shifts import Holiday, Shift
from hub.sdk import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)


class Label(Table):
    """A name people read, in the languages the hub speaks."""

    en: str = Field("", examples=["Delivery"])
    it: str = Field("", examples=["Consegna"])

    def in_language(self, language: str) -> str:
        """The text in ``language`` (``it-IT`` counts as ``it``), else in English, else in any."""
        wanted = self.it if _primary(language) == "it" else self.en
        return wanted or self.en or self.it


def _label(value: object) -> object:
    return {"en": value, "it": value} if isinstance(value, str) else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


LabelIn = Annotated[Label, BeforeValidator(_label)]
Several = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""One text or a list of texts."""


def _member(value: object) -> object:
    return {"agent": value} if isinstance(value, str) else value


class Member(Table):
    """One person of a team. ``agent`` is the e-mail address, id or login name in the helpdesk; what is said here counts
    besides what the helpdesk says, ``capacity`` instead of it."""

    agent: str = Field(min_length=1, examples=["anna@example.com"])
    skills: Several = Field((), examples=["refunds"])
    languages: Several = Field((), examples=["it"])
    capacity: int | None = Field(None, ge=1, examples=[10])


class Team(Table):
    """The people who answer one sort of request. ``sink`` names the connection they work in, ``group`` their queue
    there. ``capacity`` is how many open tickets one agent has at most; outside of the ``shifts`` and on ``holidays``
    no agent is named."""

    name: str = Field(exclude=True)
    sink: str = Field(min_length=1, examples=["acme-zendesk"])
    group: str = Field("", examples=["Billing"])
    members: tuple[Annotated[Member, BeforeValidator(_member)], ...] = Field((), examples=[["anna@example.com"]])
    languages: Several = Field((), examples=[["it", "en"]])
    capacity: int | None = Field(None, ge=1, examples=[10])
    shifts: tuple[Shift, ...] = Field(
        (), examples=['[{ days = "mon-fri", hours = "09:00-18:00", time_zone = "Europe/Rome" }]']
    )
    holidays: tuple[Holiday, ...] = Field((), examples=[["12-25", "2027-04-05"]])
    label: LabelIn = Field(Label(), examples=['{ en = "Billing", it = "Fatturazione" }'])

    @model_validator(mode="after")
    def _holidays_have_a_zone(self) -> Self:
        if self.holidays and not self.shifts:
            raise ValueError("holidays need shifts, which say the time zone: add shifts")
        return self

    def on_shift(self, now: datetime) -> bool:
        """True when somebody works at ``now``; a team without shifts always does."""
        return not self.shifts or any(shift.covers(now, self.holidays) for shift in self.shifts)


class Route(Table):
    """One line of the map: every condition that is given must hold."""

    team: str = Field(examples=["billing"])
    source: Several = Field((), examples=["acme-mastodon"])
    brand: Several = Field((), examples=["Acme"])
    country: Several = Field((), examples=["IT"])
    language: Several = Field((), examples=["it"])
    category: Several = Field((), examples=["billing"])
    kind: Annotated[tuple[Kind, ...], BeforeValidator(_several)] = Field((), examples=["complaint"])


class Teams(Table):
    """All teams and the map to them."""

    default_team: str = Field(examples=["care"])
    teams: Mapping[str, Team] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    @property
    def default(self) -> Team:
        """The team of everything that no route names."""
        return self.teams[self.default_team]

    def team_for(
        self,
        *,
        source: str = "",
        brand: str = "",
        country: str = "",
        language: str = "",
        category: str = "",
        kind: str = "",
    ) -> Team:
        """The team of the first route whose conditions all hold, else the default team. Letter case does not count,
        and ``it-IT`` is ``it``."""
        for route in self.routes:
            if (
                _holds(route.source, source)
                and _holds(route.brand, brand)
                and _holds(route.country, country)
                and _holds(tuple(map(_primary, route.language)), _primary(language))
                and _holds(route.category, category)
                and _holds(route.kind, kind)
            ):
                return self.teams[route.team]
        return self.default


def _holds(wanted: tuple[str, ...], value: str) -> bool:
    return not wanted or value.casefold() in {word.casefold() for word in wanted}


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
