"""What will end: tokens are renewed ahead of time, and people are told in time of what only they can mend."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from hub.configuration import TRIAL_PREFIX
from hub.flow import retry
from hub.flow.hub import Hub
from hub.sdk import AsksConsent, Connector, ConnectorError, HoldsTokens, TokenState
from hub.sdk.policy import PolicyWrong, Retirement, policy_of
from hub.store import Tx, connections, vault

log = logging.getLogger("hub.radar")

EVERY = timedelta(hours=1)
NOT_SOONER = timedelta(minutes=1)
RENEW_BEFORE = timedelta(days=1)
"""A token that lives long is renewed so long before its end; a shorter one when a third of its life is left."""
ENDS_SOON = timedelta(days=14)
RETIRES_SOON = timedelta(days=90)
TOLD_AFTERWARDS = timedelta(days=30)
"""So long after its day a retirement still counts as news."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One credential. ``days_left`` is negative when it has ended, ``None`` when nobody knows of an end."""

    name: str
    expires_at: datetime | None
    days_left: int | None
    renews_itself: bool
    soon: bool
    """A person must act."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one connection's credentials and of what its vendor will switch off."""

    tokens: tuple[Ending, ...] = ()
    retirements: tuple[Retirement, ...] = ()

    @property
    def next_end(self) -> Ending | None:
        """What a person must mend first; else what ends first."""
        known = [one for one in self.tokens if one.days_left is not None]
        return min(known, key=lambda one: (one.renews_itself and not one.soon, one.days_left), default=None)


Refusal = Mapping[datetime | None, datetime]
"""How the vault stood when the vendor refused."""


class RenewalRefused(Exception):
    """The vendor does not renew with what the vault holds; the connection is paused, with an alarm."""


class Radar:
    """Looks at each connection's tokens after its check, hourly, and when one is due to be renewed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._after: dict[str, datetime] = {}
        self._refused: dict[str, Refusal] = {}
        self._names = [
            name
            for name, one in hub.connected.items()
            if one.has(HoldsTokens) or retirements(name, one.connector, one.settings)
        ]

    def tell_at_start(self) -> None:
        """Into the log: who is to be connected yet, and what the vendors of these connections will switch off."""
        for name in self._names:
            if retry.is_unconnected(self._hub, name):
                log.info("%s: nobody has connected it yet: hub connections connect %s", name, name)
            for one in _news(self._hub, name, within=timedelta(days=366)):
                log.warning("%s: %s", name, words(one, self._hub.now().date()))

    def look_soon(self, name: str) -> None:
        """Look in the next step: the connection was just checked."""
        self._after.pop(name, None)

    def step(self) -> int:
        """Look where it is time; return how many connections' tokens were renewed."""
        now, done = self._hub.now(), 0
        for name in self._names:
            if now < self._after.get(name, now):
                continue
            self._after[name] = now + EVERY
            try:
                renewed = self._renew(name)
                standing = look(self._hub, name, refused=name in self._refused)
            except Exception:  # a bug of the plugin; its neighbours' tokens end all the same
                log.exception("the tokens of %s could not be looked at", name)
                continue
            if renewed is None:
                self._after[name] = now + self._hub.timing.probe_paused_every
            else:
                self._after[name] = max(now + NOT_SOONER, min(now + EVERY, *_times(self._hub, name, standing)))
            done += renewed is True
        return done

    def _renew(self, name: str) -> bool | None:
        """As :func:`renew`; what the vendor refuses once it is not asked again before somebody connects anew. While the
        old token still works its check would lift the pause, and each new refusal would bring it back."""
        with self._hub.store.read() as connection:
            stands = vault.written(connection, name)
        if self._refused.get(name) == stands:
            return False
        self._refused.pop(name, None)
        try:
            return renew(self._hub, name)
        except RenewalRefused:
            self._refused[name] = stands
            return False


def renew(hub: Hub, name: str) -> bool | None:
    """Renew what is due; True when that was done, ``None`` when it failed in passing and is to be tried again soon.
    Raises :class:`RenewalRefused`.

    Not while the hub itself has paused the connection (its check renews then) or the vendor asks for a rest. A person's
    pause is no reason: the tokens would end under it.
    """
    states = tokens(hub, name)
    now = hub.now()
    with hub.store.read() as connection:
        row, written = connections.get(connection, name), vault.written(connection, name)
    if row.gone or row.paused_by == "hub" or (row.blocked_until is not None and row.blocked_until > now):
        return False
    if not any(_is_due(state, written, now) for state in states):
        return False
    connector: Any = hub.instance(name)
    failure: Exception | None = None
    try:
        connector.renew_tokens()
    except Exception as error:
        failure = error
    calls = hub.calls(name).take()

    def unit(tx: Tx) -> None:
        connections.add_calls(tx, name, calls)
        if failure is not None:
            retry.blame_connection(hub, tx, name, failure, now=hub.now(), has_lane=False)

    hub.store.run(unit)
    if failure is None:
        log.info("%s: its tokens are renewed", name)
        return True
    if isinstance(failure, ConnectorError):
        log.warning("%s: its tokens could not be renewed: %s", name, failure.summary)
    else:
        log.error("%s: its tokens could not be renewed: a bug of its plugin", name, exc_info=failure)
    if retry.action_for(failure) == "pause":
        raise RenewalRefused
    return None if retry.action_for(failure) in ("retry", "wait") else False


def look(hub: Hub, name: str, *, refused: bool = False) -> Standing:
    """See how it stands, and open or close the alarms about it. ``refused``: the vendor did not renew it."""
    found, today = standing(hub, name), hub.now().date()
    with hub.store.read() as connection:
        if retry.is_removed(connections.get(connection, name)):
            return found
    ending = [_ends(hub, name, one) for one in found.tokens if one.soon]
    if refused and not ending:
        ending = [f"the vendor refused to renew its tokens: {_way(hub, name)}"]
    retiring = [words(one, today) for one in _news(hub, name, within=RETIRES_SOON)]

    def unit(tx: Tx) -> None:
        _alarm(hub, tx, name, "token_ends", "; ".join(ending))
        _alarm(hub, tx, name, "retirement", "; ".join(retiring))

    hub.store.run(unit)
    return found


def standing(hub: Hub, name: str) -> Standing:
    """Tokens and retirements of a connection, as of now; reads the vault, calls no vendor."""
    one = hub.connected.get(name)
    if one is None:
        return Standing()
    return stand(name, one.connector, one.settings, tokens(hub, name), hub.now())


def standings(hub: Hub, names: Iterable[str] | None = None) -> dict[str, Standing]:
    """As :func:`standing`, of these connections (all). One whose plugin stumbles has nothing to tell."""
    found = {}
    for name in hub.connected if names is None else names:
        try:
            found[name] = standing(hub, name)
        except Exception:  # a bug of a plugin must not take the page away that shows the others
            log.exception("the tokens of %s cannot be shown", name)
            found[name] = Standing()
    return found


def stand(
    name: str, connector: type[Connector], settings: Any, states: Sequence[TokenState], now: datetime
) -> Standing:
    """The standing of credentials that were read already."""
    return Standing(tuple(_ending(state, now) for state in states), tuple(retirements(name, connector, settings)))


def tokens(hub: Hub, name: str) -> list[TokenState]:
    """The credentials of a connection; empty for one whose connector holds none."""
    if not hub.connected[name].has(HoldsTokens):
        return []
    connector: Any = hub.instance(name)
    return list(connector.tokens())


def retirements(name: str, connector: type[Connector], settings: Any) -> list[Retirement]:
    """What the vendor will switch off (or has) that this connection uses; nothing for a trial, whose vendor is a
    sandbox."""
    if name.startswith(TRIAL_PREFIX):
        return []
    try:
        return policy_of(connector).concerning(settings)
    except PolicyWrong as error:  # told by `hub config check`; it must not keep a connection from working
        log.warning("%s", error)
        return []


def words(one: Retirement, today: date) -> str:
    """What retires, when, what to do and who says so: the same until the day and from it on."""
    when = f"on {one.on}" if today < one.on else f"today, {one.on}" if today == one.on else f"since {one.on}"
    instead = f". Instead: {one.instead}" if one.instead else ""
    return f"{when}: {one.what}{instead} ({one.source})"


def _news(hub: Hub, name: str, *, within: timedelta) -> list[Retirement]:
    today, one = hub.now().date(), hub.connected[name]
    found = retirements(name, one.connector, one.settings)
    return [each for each in found if -TOLD_AFTERWARDS <= each.on - today <= within]


def _ending(state: TokenState, now: datetime) -> Ending:
    left = state.expires_at - now if state.expires_at is not None else None
    # One that renews itself and has ended all the same: the hub could not, or nobody ran it.
    soon = left is not None and left <= (timedelta(0) if state.renews_itself else ENDS_SOON)
    return Ending(state.name, state.expires_at, None if left is None else left.days, state.renews_itself, soon)


def _ends(hub: Hub, name: str, one: Ending) -> str:
    assert one.expires_at is not None  # noqa: S101 - that is why it is soon
    verb, way = "ended" if one.expires_at <= hub.now() else "ends", _way(hub, name)
    if one.renews_itself:  # without the time: one that ends again and again is one alarm
        return f"{one.name} has ended and was not renewed: {way}"
    return f"{one.name} {verb} on {one.expires_at:%Y-%m-%d %H:%M} UTC: {way}"


def _way(hub: Hub, name: str) -> str:
    """What a person does about it."""
    asks = hub.connected[name].has(AsksConsent)
    return f"connect again: hub connections connect {name}" if asks else "put a new one into its settings"


def _alarm(hub: Hub, tx: Tx, name: str, kind: str, text: str) -> None:
    """Open while there is something to tell; opened anew when that is something else."""
    now = hub.now()
    is_open = next(
        (row for row in connections.alarms(tx.connection) if (row.connection, row.kind) == (name, kind)), None
    )
    if is_open is not None and is_open.text == text:
        return
    connections.close_alarm(tx, name, kind, now=now)
    if text:
        connections.open_alarm(tx, name, kind, text=text, now=now)
        log.warning("%s: %s", name, text)


def _is_due(state: TokenState, written: Mapping[datetime | None, datetime], now: datetime) -> bool:
    when = _renew_at(state, written)
    return when is not None and when <= now


def _renew_at(state: TokenState, written: Mapping[datetime | None, datetime]) -> datetime | None:
    if not state.renews_itself or state.expires_at is None:
        return None
    since = _written(state.expires_at, written)
    life = state.expires_at - since if since is not None else RENEW_BEFORE * 3
    return state.expires_at - min(RENEW_BEFORE, max(life, timedelta(0)) / 3)


def _written(expires_at: datetime, written: Mapping[datetime | None, datetime]) -> datetime | None:
    """When the value with this end was written. A value may hold two tokens and bear the end of one: then the newest
    one with an end, which is what renewing writes."""
    close = [at for end, at in written.items() if end is not None and abs(end - expires_at) < timedelta(seconds=2)]
    ending = [at for end, at in written.items() if end is not None]
    return max(close or ending or list(written.values()), default=None)


def _times(hub: Hub, name: str, found: Standing) -> list[datetime]:
    """When the next token is due; far away where none renews itself."""
    with hub.store.read() as connection:
        written = vault.written(connection, name)
    states = [
        TokenState(name=one.name, expires_at=one.expires_at, renews_itself=one.renews_itself) for one in found.tokens
    ]
    times = [when for state in states if (when := _renew_at(state, written)) is not None]
    # One that stays due although it was just renewed would be asked for every minute.
    return [when for when in times if when > hub.now()] or [hub.now() + EVERY]
