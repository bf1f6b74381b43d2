"""A vendor's dated rules (``policy.toml`` beside the connector): what it will switch off and when, and its limits."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from hub.sdk.connectors import Connector
from hub.sdk.messages import Value

FILE = "policy.toml"


class PolicyWrong(ValueError):
    """The policy file cannot be used; the message names the file and every place in it that is wrong."""


class Rule(Value):
    """One rule of a vendor; ``source`` is its page that says so."""

    what: str = Field(min_length=1)
    source: str

    @field_validator("source")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("must be the https:// address of the vendor's page that says so")
        return value


class Retirement(Rule):
    """Something stops working ``on`` a day. ``instead`` says what to do; ``settings`` are those of a connection that it
    concerns: one of them is set (empty: it concerns all)."""

    on: date
    instead: str = ""
    settings: tuple[str, ...] = ()

    def concerns(self, settings: Any) -> bool:
        """True when a connection with these settings (the connector's model) is meant."""
        return not self.settings or any(_is_set(settings, name) for name in self.settings)


class Limit(Rule):
    """How much the vendor allows: ``calls`` in ``per_seconds``, ``concurrent`` at once, ``objects`` in all."""

    calls: int | None = Field(None, ge=1)
    per_seconds: float | None = Field(None, gt=0)
    concurrent: int | None = Field(None, ge=1)
    objects: int | None = Field(None, ge=1)


class Policy(Value):
    """All of it. ``checked`` is the day on which somebody last compared it with the sources."""

    checked: date | None = None
    retirements: tuple[Retirement, ...] = ()
    limits: tuple[Limit, ...] = ()

    def concerning(self, settings: Any) -> list[Retirement]:
        """The retirements that concern a connection with these settings, the earliest first."""
        return sorted((one for one in self.retirements if one.concerns(settings)), key=lambda one: one.on)


def policy_of(connector: type[Connector]) -> Policy:
    """The policy in the package of a connector; an empty one when it has none. Raises :class:`PolicyWrong`."""
    policy = _read(_package(connector))
    known = connector.Settings.model_fields
    wrong = sorted({name for one in policy.retirements for name in one.settings} - known.keys())
    if wrong:
        raise PolicyWrong(f"{FILE} of {connector.name}: there is no setting {', '.join(wrong)}")
    return policy


def _package(connector: type[Connector]) -> str:
    return connector.__module__.rpartition(".")[0]


@cache
def _read(package: str) -> Policy:
    file = resources.files(package).joinpath(FILE) if package else None
    if file is None or not file.is_file():
        return Policy()
    where = f"{FILE} of {package}"
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise PolicyWrong(f"{where} cannot be read: {error}") from error
    try:
        return Policy.model_validate(given)
    except ValidationError as error:
        raise PolicyWrong(f"{where}: " + "; ".join(_told(error))) from error


def _told(error: ValidationError) -> Sequence[str]:
    return [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False, include_url=False)]


def _place(steps: tuple[int | str, ...]) -> str:
    """``retirements[0].on``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _is_set(settings: Any, name: str) -> bool:
    value = getattr(settings, name, None) if isinstance(settings, BaseModel) else None
    return value not in (None, "", (), [], {}, False)
