"""Whether a class keeps the plugin contract, and which roles it plays."""

from __future__ import annotations

from typing import Any

from hub.catalogue.found import Side
from hub.sdk import routers, sinks, sources
from hub.sdk.connectors import PLUGIN_API
from hub.sdk.settings import Settings

SIDES: dict[Side, type] = {"source": sources.Source, "sink": sinks.Sink, "router": routers.Router}

ROLES: dict[Side, dict[str, type]] = {
    "source": {name: vars(sources)[name] for name in sources.__all__ if name != "Source"},
    "sink": {name: vars(sinks)[name] for name in sinks.__all__ if name != "Sink"},
    "router": {
        name: value
        for name, value in vars(routers).items()
        if isinstance(value, type) and issubclass(value, routers.Router) and value is not routers.Router
    },
}


def connector_name(entry_point: str) -> str:
    """``webhook`` for ``webhook.source`` and ``webhook.sink``: one distribution cannot have two entry points of one
    name, and a connector may have both sides."""
    name, _, side = entry_point.rpartition(".")
    return name if name and side in SIDES else entry_point


def roles_of(cls: type, side: Side) -> tuple[str, ...]:
    """The names of the role classes it inherits, sorted."""
    return tuple(sorted(name for name, role in ROLES[side].items() if issubclass(cls, role)))


def side_of(cls: type) -> Side | None:
    """The side a connector class belongs to, or ``None``."""
    return next((side for side, kind in SIDES.items() if issubclass(cls, kind)), None)


def breach_of(cls: Any, side: Side, expected_name: str) -> str:
    """What the class does against the contract, in one sentence; empty when it keeps it."""
    if not isinstance(cls, type) or not issubclass(cls, SIDES[side]):
        return f"register_{side}s returned {_shown(cls)}, which is not a subclass of {SIDES[side].__name__}"
    who = cls.__name__
    api = getattr(cls, "plugin_api", None)
    # Before all else: a class of another API may differ in everything below.
    if api != PLUGIN_API:
        newer = isinstance(api, int) and api > PLUGIN_API
        upgrade = "upgrade social-care-hub" if newer else "upgrade the plugin"
        return f"{who} speaks plugin API {api}, this hub speaks plugin API {PLUGIN_API}: {upgrade}"
    name = getattr(cls, "name", None)
    if name != expected_name:
        return f'{who}.name is "{name}", but its entry point is called "{expected_name}": they must be equal'
    if not isinstance(name, str) or name != name.lower():
        return f'{who}.name "{name}" must be lower-case'
    for attribute in ("display_name", "network") if side == "source" else ("display_name",):
        if not isinstance(getattr(cls, attribute, None), str) or not getattr(cls, attribute):
            return f"{who} has no {attribute}"
    model = getattr(cls, "Settings", None)
    if not (isinstance(model, type) and issubclass(model, Settings)):
        return f"{who}.Settings is not a subclass of hub.sdk.Settings"
    return _breach_of_roles(cls, side)


def _breach_of_roles(cls: type, side: Side) -> str:
    strange = {
        name: other
        for other, roles in ROLES.items()
        for name, role in roles.items()
        if other != side and issubclass(cls, role) and role not in ROLES[side].values()
    }
    if strange:
        name, other = next(iter(strange.items()))
        return f"{cls.__name__} is a {side} and cannot have {name}, a role of a {other}"
    if not roles_of(cls, side):
        return f"{cls.__name__} has no role; a {side} can have: " + ", ".join(sorted(ROLES[side]))
    # Not __abstractmethods__: that is empty for a class whose metaclass is not ABCMeta.
    missing = [name for name in dir(cls) if getattr(getattr(cls, name, None), "__isabstractmethod__", False)]
    if missing:
        return f"{cls.__name__} does not implement {', '.join(missing)}"
    return ""


def _shown(value: object) -> str:
    return value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"
