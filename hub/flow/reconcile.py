"""Both sides of every link between a ticket and its helpdesk record are compared; what was missed is taken in.

Never deletes, never sends to a customer what is older than a day, and never asks for an effect twice: what is missing
here goes through the inbox under its own event key, as if it had come by webhook.
"""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.flow import comparing, mending
from hub.flow.comparing import Difference, Pair
from hub.flow.hub import Hub
from hub.flow.patience import CALLS_A_MINUTE, Patience
from hub.sdk import AuthenticationFailed, Completes, ConfigurationError, ConnectorError, Hint
from hub.store import Connection, Row, Tx, certificates, connections, deliveries, records, tickets
from hub.store.certificates import CertificateView

log = logging.getLogger("hub.reconcile")

ALARM = "reconcile"
KEPT = 200
"""How many differences a certificate lists; it counts them all."""
UNREADABLE_IN_A_ROW = 3
NAMED = 5
"""How many records an alarm names."""


class CannotCompare(Exception):
    """The connection's records cannot be read one by one; the message says which ones can."""


@dataclass
class Result:
    """What a comparison has shown so far. ``moving``: records with something on its way, which were left out;
    ``young``: differences too young to count."""

    records: int = 0
    comments: int = 0
    moving: int = 0
    young: int = 0
    differences: list[Difference] = field(default_factory=list)
    repaired: int = 0
    ours: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


def able(hub: Hub) -> list[str]:
    """The helpdesk connections that can be compared."""
    return [name for name in hub.sinks() if hub.connected[name].has(Completes)]


class Comparison:
    """One comparison, a record at a time: whoever runs it asks :meth:`pause` before each :meth:`step`.

    ``since`` takes what is not solved and what was touched since; ``None``: every record that lives. That ``actor`` had
    it repaired goes into the audit. Raises :class:`CannotCompare`.
    """

    def __init__(
        self,
        hub: Hub,
        name: str,
        *,
        since: datetime | None,
        repair: bool = False,
        actor: str = "hub",
        calls_a_minute: int = CALLS_A_MINUTE,
    ) -> None:
        self._connector = _able(hub, name)
        self._hub, self.name, self.since, self._repair, self._actor = hub, name, since, repair, actor
        self._patience = Patience(hub, name, calls_a_minute=calls_a_minute)
        self.result = Result()
        with hub.store.read() as connection:
            self._todo = deque(certificates.links(connection, name, since=since))
            self._without = list(certificates.without_record(connection, name))
        self.total = len(self._todo)
        self._again: set[int] = set()
        self._looked_at: set[str] = set()
        self._unreadable = 0
        self._audited = not repair

    @property
    def left(self) -> int:
        """Records still to be compared."""
        return len(self._todo)

    @property
    def why(self) -> str:
        """Why :meth:`pause` asks to wait; empty when only the pace does."""
        return self._patience.why

    def pause(self) -> float:
        """Seconds until the next step may be made."""
        return self._patience.pause() if self._todo else 0.0

    def step(self) -> bool:
        """Compare one record; False when there is none left. Raises what no record of this vendor can be read for."""
        if not self._todo:
            return False
        link = self._todo[0]
        try:
            answer = self._patience.ask(lambda: list(self._connector.complete(_hint(link.vendor_id))))
        except (AuthenticationFailed, ConfigurationError):
            raise
        except ConnectorError as error:
            self._todo.popleft()
            self._cannot_read(link, error)
            return True
        if answer is None:
            return True
        self._todo.popleft()
        self._unreadable = 0
        with self._hub.store.read() as connection:
            pair = self._pair(connection, link.id)
            compared = comparing.compare(pair, answer, now=self._hub.now()) if pair and not pair.moving else None
        if pair is not None and (compared is None or self._may_be_news(compared, link)):
            self._put_back(link)
        elif pair is not None and compared is not None:
            self._note(compared, pair)
        return True

    def finish(self) -> CertificateView:
        """Compare what has no record at all, keep the certificate, open or close the alarm."""
        hub, result = self._hub, self.result
        if not self._audited:
            hub.store.run(self._audit)
        with hub.store.read() as connection:
            found = [self._recordless(connection, row) for row in self._without]
        for difference in filter(None, found):
            self._take(difference, lambda tx, one: mending.link_record(hub, tx, self.name, one))
        values = {
            "connection": self.name,
            "since": self.since,
            "whole": self.since is None,
            "records": result.records,
            "comments": result.comments,
            "moving": result.moving,
            "young": result.young,
            "found": len(result.differences),
            "repaired": result.repaired,
            "differences": [one.shown() for one in result.differences[:KEPT]],
            "ours": _digest(result.ours),
            "theirs": _digest(result.theirs),
        }
        return hub.store.run(lambda tx: self._certify(tx, values))

    def _pair(self, connection: Connection, link_id: int) -> Pair | None:
        """Our side of a record as it is now; ``None`` when it was dropped meanwhile."""
        link = records.by_id(connection, link_id)
        if link.deleted_at is not None or link.merged_into:
            return None
        lane = f"record:{link.vendor_id}"
        return Pair(
            link=link,
            ticket=tickets.by_id(connection, link.ticket_id),
            comments={row.vendor_id: row for row in certificates.comments_of(connection, link.id)},
            delivered=list(certificates.delivered(connection, link.ticket_id, self.name)),
            moving=certificates.is_moving(connection, self.name, lane=lane, ticket_id=link.ticket_id),
            event_row=lambda key: certificates.event_row(connection, self.name, key),
            lost_messages=lambda at: certificates.lost_message(connection, link.ticket_id, created_at=at),
            uuid_of=lambda uuid: deliveries.by_uuid(connection, uuid),
        )

    def _may_be_news(self, compared: comparing.Compared, link: Row[Any]) -> bool:
        """True when a comment differs that has no time of its change: it may be of this second, and its event still on
        the way. Such a record is looked at twice."""
        undated = ("text_differs", "visibility_differs")
        return link.id not in self._again and any(one.kind in undated for one in compared.differences)

    def _put_back(self, link: Row[Any]) -> None:
        """Something of it is on its way: it is looked at once more, after all others."""
        if link.id in self._again:
            self.result.moving += 1
        else:
            self._again.add(link.id)
            self._todo.append(link)

    def _note(self, compared: comparing.Compared, pair: Pair) -> None:
        self._looked_at.add(pair.link.vendor_id)
        self.result.records += 1
        self.result.comments += compared.comments
        self.result.young += compared.young
        self.result.ours += compared.ours
        self.result.theirs += compared.theirs
        for difference in compared.differences:
            self._take(difference, lambda tx, one: mending.mend(self._hub, tx, self.name, pair.link.id, one))

    def _take(self, difference: Difference, mend: Any) -> None:
        self.result.differences.append(difference)
        if not self._repair or not difference.repair:
            return

        def unit(tx: Tx) -> Any:
            self._audit(tx)  # at the first repair: what is stopped on its way stays repaired
            return mend(tx, difference)

        mended = self._hub.store.run(unit)
        self._audited = True
        if mended:
            difference.repaired = True
            self.result.repaired += 1

    def _audit(self, tx: Tx) -> None:
        if not self._audited:
            scope = "all" if self.since is None else f"{self.since:%Y-%m-%d %H:%M} UTC"
            connections.write_audit(
                tx, actor=self._actor, action="repair", object_=self.name, now=self._hub.now(), since=scope
            )

    def _cannot_read(self, link: Row[Any], error: ConnectorError) -> None:
        self._unreadable += 1
        if self._unreadable >= UNREADABLE_IN_A_ROW:
            raise error  # the vendor is down, or this is a bug: no certificate
        with self._hub.store.read() as connection:
            code = tickets.by_id(connection, link.ticket_id).code
        log.warning("record %s of %s cannot be compared: %s", link.vendor_id, self.name, error.summary)
        self.result.differences.append(Difference("record_unread", link.vendor_id, code, detail=error.summary))

    def _certify(self, tx: Tx, values: dict[str, Any]) -> CertificateView:
        now, left = self._hub.now(), values["found"] - values["repaired"]
        alarm = next(
            (one for one in connections.alarms(tx.connection) if (one.connection, one.kind) == (self.name, ALARM)), None
        )
        # A comparison of less than what differed takes nothing from the alarm: what it says may still be so.
        counts = alarm is None or self._covers(tx, alarm.opened_at)
        certificates.add(tx, {**values, "at": now})
        if left and counts:
            connections.open_alarm(tx, self.name, ALARM, text=_words(values, left), now=now)
        elif counts:
            connections.close_alarm(tx, self.name, ALARM, now=now)
        return certificates.latest(tx.connection, self.name, limit=1)[0]

    def _covers(self, tx: Tx, opened_at: datetime) -> bool:
        """True when this comparison looked at all that differed since the alarm is open."""
        living: set[str] | None = None
        for one in certificates.latest(tx.connection, self.name):
            if one.at < opened_at:
                return True
            if one.agrees or self.since is None or (one.since is not None and one.since >= self.since):
                continue
            if living is None:
                living = {link.vendor_id for link in certificates.links(tx.connection, self.name, since=None)}
            differed = {str(each["record"]) for each in one.differences if not each["repaired"]}
            if one.found > len(one.differences) or differed & living - self._looked_at:
                return False
        return True

    def _recordless(self, connection: Connection, row: Row[Any]) -> Difference | None:
        found = comparing.without_record(row, certificates.delivered(connection, row.id, self.name))
        if found is not None and comparing.is_young(row.created_at, self._hub.now()):
            self.result.young += 1
            return None
        return found


def _hint(record: str) -> Hint:
    return Hint(event_key=f"reconcile:{record}", lane=f"record:{record}", record=record)


def _able(hub: Hub, name: str) -> Completes:
    connector: Any = hub.instance(name)
    if hub.connected[name].side == "sink" and isinstance(connector, Completes):
        return connector
    others = able(hub)
    can = f"These can: {', '.join(others)}." if others else "No connection of this hub can."
    if hub.connected[name].side == "source":
        raise CannotCompare(f"{name} is a network; helpdesks are compared. {can}")
    raise CannotCompare(f"{name} ({connector.name}) cannot read a record by its number. {can}")


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:32]


def _words(values: dict[str, Any], left: int) -> str:
    scope = " --all" if values["whole"] else ""
    what = "1 difference" if left == 1 else f"{left} differences"
    text = f"{what} between hub and helpdesk: hub reconcile {values['connection']}{scope}"
    lost = [one["record"] for one in values["differences"] if one["kind"] == "record_not_ours"]
    if lost:
        named = ", ".join(lost[:NAMED]) + (" and more" if len(lost) > NAMED else "")
        text += f" (without our mark, answers there go nowhere: {named})"
    return text
