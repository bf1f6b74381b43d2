"""How a connection's credentials and its vendor's retirements stand, for people and for scripts."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hub.configuration import HubConfig
    from hub.flow.hub import Hub
    from hub.flow.radar import Standing

log = logging.getLogger("hub.cli")


def standings_of(hub: Hub, config: HubConfig) -> dict[str, Standing]:
    """By connection, read from the vault; calls no vendor. What cannot be read (no key, a bug of a plugin) is left out:
    these commands must work then too."""
    from hub.cli.opening import load_catalogue
    from hub.flow import radar
    from hub.sdk import HoldsTokens
    from hub.work.assembly import WrongKey

    catalogue, found = load_catalogue(), {}
    for name, block in config.connections.items():
        if not block.enabled or name not in hub.connected:
            continue
        kind, settings = catalogue.connector_of(block), catalogue.settings_for(block)
        states: list[Any] = []
        if issubclass(kind, HoldsTokens):
            try:
                states = list(kind(settings, hub.toolbox(name)).tokens())
            except WrongKey:
                continue
            except Exception:
                log.exception("the tokens of %s cannot be read", name)
                continue
        found[name] = radar.stand(name, kind, settings, states, hub.now())
    return found


def unreadable(hub: Hub, config: HubConfig) -> tuple[str, set[str]]:
    """Why the secret key opens nothing here, and the connections whose tokens lie under it. Empty while a hub runs: it
    has its key, wherever from."""
    from hub.cli.opening import key_trouble
    from hub.cli.status import is_running
    from hub.store import consents

    why = key_trouble(config, hub.store)
    if not why or is_running(config):
        return "", set()
    with hub.store.read() as connection:
        return why, {name for name in hub.connected if consents.vault_names(connection, name)}


def credentials_json(standing: Standing | None) -> dict[str, Any]:
    """``tokens`` (each with its end and days left) and ``retirements``; ``null`` where they cannot be read."""
    if standing is None:
        return {"tokens": None, "retirements": None}
    tokens = [
        {
            "name": one.name,
            "expires_at": one.expires_at.isoformat() if one.expires_at else None,
            "days_left": one.days_left,
            "renews_itself": one.renews_itself,
            "act": one.soon,
        }
        for one in standing.tokens
    ]
    return {"tokens": tokens, "retirements": [one.model_dump(mode="json") for one in standing.retirements]}


def tell_credentials(name: str, standing: Standing, *, soon_only: bool = False) -> None:
    """Each credential's end, and what the vendor switches off. ``soon_only``: what a person must see to."""
    from hub.cli.printing import clean
    from hub.flow import radar
    from hub.work.assembly import utc_now

    now = utc_now()
    for one in standing.tokens:
        if soon_only and not one.soon:
            continue
        ends = "has no known end"
        if one.expires_at is not None:
            over = one.expires_at <= now
            ends = f"{'ended' if over else 'ends'} on {one.expires_at:%Y-%m-%d %H:%M} UTC"
            ends += "" if over else f", {still(one.expires_at - now)} left"
        renews = "; the hub renews it" if one.renews_itself else ""
        click.echo(f"{name}: {clean(one.name)} {ends}{renews}")
    for retirement in standing.retirements:
        if not soon_only or -radar.TOLD_AFTERWARDS <= retirement.on - now.date() <= radar.RETIRES_SOON:
            click.echo(f"{name}: {clean(radar.words(retirement, now.date()))}")


def still(left: timedelta) -> str:
    """A time that is left, in days; below two days in hours, below one hour in minutes."""
    minutes = int(left.total_seconds()) // 60
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size * (2 if unit == "day" else 1):
            return f"{minutes // size} {unit}{'' if minutes // size == 1 else 's'}"
    return "less than a minute"
