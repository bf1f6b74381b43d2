"""A helpdesk's past comes in by an explicit command only: page by page, resumable, posting nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.flow.hub import Hub
from hub.flow.patience import CALLS_A_MINUTE, Patience, patiently
from hub.sdk import Backfills, HistoryPage
from hub.store import Row, Tx, connections, history


class CannotBackfill(Exception):
    """The connection offers no history; the message says which ones do."""


class Stalled(Exception):
    """The connector says that there is more and gives the bookmark it was given: that would never end."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. ``read`` and ``total`` count tickets since this backfill began, also before a restart of it."""

    read: int
    total: int | None
    new: int
    changed: int
    up_to: datetime | None = None
    """When the last ticket read had changed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``new`` and ``changed`` of this run; ``resumed``: it went on where an earlier one was stopped or had ended."""

    connection: str
    since: datetime
    resumed: bool
    read: int
    new: int
    changed: int
    past: history.Past
    resumed_from: datetime | None = None
    """When the earlier one, on whose bookmark this one went on, last read."""


def able(hub: Hub) -> list[str]:
    """The connections whose connector offers its history."""
    return [name for name, one in hub.connected.items() if one.has(Backfills)]


def backfill(
    hub: Hub,
    name: str,
    *,
    since: datetime,
    wait: Callable[[float, str], None],
    tell: Callable[[Progress], None] = lambda progress: None,
    afresh: bool = False,
    actor: str = "hub",
    calls_a_minute: int = CALLS_A_MINUTE,
) -> Outcome:
    """Read what changed at a helpdesk since ``since`` into the store, in the caller's thread.

    ``wait`` sleeps (seconds, why); ``tell`` hears after each page. Nothing is posted, answered or routed. A page and
    its bookmark share one transaction: killed at any moment, the next run goes on there; after the end it reads only
    what changed since, unless ``afresh``. That ``actor`` began goes into the audit. Raises :class:`CannotBackfill`,
    :class:`Stalled`, ``BackfillMoved``, and the connector's errors when waiting does not help.
    """
    connector = _able(hub, name)
    patience = Patience(hub, name, calls_a_minute=calls_a_minute)
    with hub.store.read() as connection:
        earlier = history.open_or_last(connection, name)

    def begin(tx: Tx) -> Row[Any]:
        told = {"since": f"{since:%Y-%m-%d %H:%M} UTC", "afresh": afresh}
        connections.write_audit(tx, actor=actor, action="backfill", object_=name, now=hub.now(), **told)
        return history.begin(tx, name, since=since, afresh=afresh, now=hub.now())

    row: Row[Any] = hub.store.run(begin)
    resumed, new, changed = bool(row.cursor), 0, 0
    tell(Progress(row.read, row.total, new, changed))
    began_at = row.read
    while True:
        page = patiently(patience, lambda row=row: connector.history_page(row.cursor, since=row.since), wait)  # type: ignore[misc]
        if page.has_more and page.cursor == row.cursor:
            raise Stalled(f"{name} says that there is more and gives the bookmark it was given: a bug of its plugin")
        # Encrypted before the transaction: a unit is short.
        sealed = {key: hub.cipher.encrypt(one.model_dump_json()) for key, one in history.newest_of(page).items()}

        def unit(
            tx: Tx, row: Row[Any] = row, page: HistoryPage = page, sealed: dict[str, str] = sealed
        ) -> tuple[Row[Any], history.Stored]:
            return history.store_page(tx, row, page, sealed=sealed, now=hub.now())

        row, stored = hub.store.run(unit)
        new, changed = new + stored.new, changed + stored.changed
        up_to = max((ticket.updated_at for ticket in page.tickets), default=None)
        tell(Progress(row.read, row.total, new, changed, up_to))
        if not page.has_more:
            break
    with hub.store.read() as connection:
        past = history.past(connection, name)
    resumed_from = earlier.updated_at if resumed and earlier is not None else None
    return Outcome(name, row.since, resumed, row.read - began_at, new, changed, past, resumed_from)


def _able(hub: Hub, name: str) -> Backfills:
    connector: Any = hub.instance(name)
    if isinstance(connector, Backfills):
        return connector
    others = able(hub)
    can = f"These can: {', '.join(others)}." if others else "No connection of this hub can."
    side = "a network" if hub.connected[name].side == "source" else "a helpdesk"
    raise CannotBackfill(f"{name} is {side} whose plugin ({connector.name}) does not offer its history. {can}")
