"""What a rule may say. Everything is checked when the hub starts, so that no message meets a broken rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import regex
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from hub.sdk import Field, Kind, Priority, Settings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""One text or a list of texts."""


def compiled(pattern: str) -> regex.Pattern[str]:
    """The pattern as the router applies it: letter case does not count."""
    return regex.compile(pattern, regex.IGNORECASE)


class Part(BaseModel):
    """A table inside a rule; a key it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class When(Part):
    """The conditions of a rule. Those that are given must all hold; none at all always holds."""

    text: str = Field("", description="Regular expression searched in subject and text", examples=["consegna|delivery"])
    not_text: str = Field("", description="Regular expression that must not be found", examples=["grazie|thank"])
    author: str = Field("", description="Regular expression searched in the author's handle", examples=["^press_"])
    field: dict[str, str] = Field(
        default_factory=dict,
        description="Collected field -> regular expression searched in it",
        examples=[{"order_number": "^IT"}],
    )
    language: Several = Field((), description="Language of the message; `it` covers `it-IT`", examples=[["it"]])
    network: Several = Field((), description="Network of the message", examples=[["mastodon"]])
    source: Several = Field((), description="Connection that received it", examples=[["acme-mastodon"]])
    brand: Several = Field((), description="Brand of that connection", examples=[["Acme"]])
    country: Several = Field((), description="Country of that connection", examples=[["IT"]])
    hours: str = Field("", description="Time of day, end excluded; may pass midnight", examples=["08:00-18:00"])
    days: Annotated[tuple[Day, ...], BeforeValidator(_several)] = Field(
        (), description="Days of the week; a night belongs to the day it begins", examples=[["mon", "tue"]]
    )
    timezone: str = Field("", description="Needed with `hours` and `days`", examples=["Europe/Rome"])

    def patterns(self) -> Iterator[tuple[str, str]]:
        """Every regular expression with its place."""
        yield from ((key, value) for key in ("text", "not_text", "author") if (value := getattr(self, key)))
        yield from ((f"field.{name}", pattern) for name, pattern in self.field.items())

    def window(self) -> tuple[time, time] | None:
        """The two ends of ``hours``."""
        if not self.hours:
            return None
        start, _, end = self.hours.partition("-")
        return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())


class Then(Part):
    """What a matching rule says. Fields that an earlier rule has set stay as they are; tags add up."""

    kind: Kind | None = Field(None, description="Kind of request", examples=["complaint"])
    language: str = Field("", description="Language to answer in", examples=["it"])
    category: str = Field("", description="A category of categories.toml", examples=["delivery"])
    complexity: str = Field("", description="How hard it is", examples=["simple"])
    priority: Priority | None = Field(None, description="Priority", examples=["high"])
    team: str = Field("", description="A team of teams.toml", examples=["billing"])
    agent: str = Field("", description="An agent of the helpdesk", examples=["anna@example.com"])
    tags: Several = Field((), description="Tags to add", examples=[["vip"]])


class Rule(Part):
    """One rule. With ``stop`` no later rule is looked at when this one matches."""

    name: str = Field(min_length=1, description="Shown in the reasons", examples=["late parcel"])
    when: When = Field(When(), description="The conditions", examples=[{"text": "consegna"}])
    then: Then = Field(description="What follows", examples=[{"category": "delivery"}])
    stop: bool = Field(False, description="Look at no later rule when this one matches", examples=[True])

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for place, pattern in self.when.patterns():
            try:
                compiled(pattern)
            except regex.error as error:
                # The text of the error ends with the position.
                raise ValueError(f'rule "{self.name}": when.{place} is no regular expression: {error}') from None
        try:
            window = self.when.window()
        except ValueError:
            window = (time.min, time.min)
        if window is not None and window[0] == window[1]:
            raise ValueError(f'rule "{self.name}": when.hours must be two times, such as 08:00-18:00')
        if self.when.timezone:
            try:
                ZoneInfo(self.when.timezone)
            except (KeyError, ValueError, OSError):  # not found; not a proper name; the name of a folder
                raise ValueError(f'rule "{self.name}": when.timezone is unknown: {self.when.timezone}') from None
        elif self.when.hours or self.when.days:
            raise ValueError(f'rule "{self.name}": when.timezone is missing; hours and days need it')
        if self.then == Then() and not self.stop:
            raise ValueError(f'rule "{self.name}": then is empty, the rule would do nothing')
        return self


class RulesSettings(Settings):
    """The settings of the rules router."""

    rules: tuple[Rule, ...] = Field((), description="The rules, in order: the earlier one wins field by field")

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f'two rules are called "{twice[0]}"; reasons could not tell them apart')
        return self
