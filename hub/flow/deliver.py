"""Claims lanes, sends their heads, writes the receipts. An effect at a vendor happens once."""

from __future__ import annotations

import logging
import traceback
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.flow import redact, retry, settle
from hub.flow.hub import Hub
from hub.flow.sealing import unseal
from hub.sdk import Absent, Accepted, CannotTell, ConnectorError, Delivery, Failure, Found, Receipt, Reply, Sink
from hub.sdk.connectors import Delivers, Finds
from hub.sdk.deliveries import AnyBody
from hub.store import Row, Tx, connections, deliveries, records

log = logging.getLogger("hub.deliver")

NO_KEY_MARGIN = timedelta(minutes=1)


STARTED_AT_ONCE = 8
QUICKEST = timedelta(milliseconds=1)
SETTLE_AFTER = timedelta(milliseconds=100)
"""A slow vendor's receipts are written after this time; what has not left by then starts anew."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one sender holds."""

    token: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Started:
    """A delivery whose ``sending`` is committed. ``body`` is the frozen one; the connector gets it unsealed."""

    row: Row[Any]
    body: AnyBody
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it; ``None``: it did not leave."""

    started: Started
    outcome: Receipt | Accepted | Failure | Exception | None


def drain(hub: Hub, name: str, *, rounds: int = 10) -> int:
    """Send what is due at one connection; return how many deliveries were handled.

    Each claimed lane is followed for up to ``rounds`` deliveries, so that a conversation is not interrupted.
    """
    connected = hub.connected[name]
    if not connected.has(Delivers):
        return 0
    claim = Claim(uuid.uuid4().hex, hub.now() + hub.timing.lease)
    connector = hub.instance(name)
    assert isinstance(connector, Delivers)  # noqa: S101 - its role says so
    if not hub.gathering.free(name, connector.gathers, hub.now()):
        return 0
    lanes = 2 * _at_once(hub, name, connector)
    heads = hub.store.run(lambda tx: _claim(hub, tx, name, claim, lanes))
    if heads:
        hub.gathering.begin(name, connector.gathers, hub.now())
    if len(heads) == lanes:
        hub.nudge(name)  # there may be more: another sender looks
    handled = 0
    for _ in range(rounds):
        if not heads:
            return handled
        handled += len(heads)
        heads = _one_round(hub, name, connector, heads, claim)
    hub.store.run(lambda tx: _give_back(tx, heads, claim))
    return handled


def _claim(hub: Hub, tx: Tx, name: str, claim: Claim, lanes: int) -> list[Row[Any]]:
    now = hub.now()
    row = connections.seen(tx, name)
    if name not in hub.checked or row.paused or (row.blocked_until and row.blocked_until > now) or _silenced(tx, row):
        return []
    if row.failures >= connections.BREAKER_OPENS_AFTER:
        lanes = 1  # the breaker is open: one probe, and nobody else for a moment
        connections.change(tx, name, blocked_until=now + connections.PROBE_EVERY)
    return deliveries.claim(tx, name, token=claim.token, now=now, lease=hub.timing.lease, limit=lanes)


def _silenced(tx: Tx, row: Row[Any]) -> bool:
    return row.side == "source" and bool(connections.read_switch(tx.connection, connections.STOP_TALKING))


def _give_back(tx: Tx, heads: list[Row[Any]], claim: Claim) -> None:
    for head in heads:
        deliveries.unclaim(tx, head.id, token=claim.token)
        deliveries.release_lane(tx, head.lane_id, token=claim.token)


def _one_round(hub: Hub, name: str, connector: Delivers, heads: list[Row[Any]], claim: Claim) -> list[Row[Any]]:
    """Handle one head of each lane; return the lanes' next heads. What a look shows to be absent is sent with the
    others."""
    following: list[Row[Any]] = []
    to_send: list[Row[Any]] = []
    for head in heads:
        if head.state == "claimed" or _look(hub, name, connector, head, claim, following):
            to_send.append(head)
    return following + _send(hub, name, connector, to_send, claim)


def _at_once(hub: Hub, name: str, connector: Delivers) -> int:
    """How many deliveries share the commit of their start: what this vendor takes in a tenth of a second.

    After a crash each of them counts as sent, so only where we can find out, and never for what a customer would read:
    ``hub stop-talking`` must halt that at once.
    """
    findable = isinstance(connector, Finds) or connector.idempotent_for is not None
    if not isinstance(connector, Sink) or not findable:
        return connector.batch
    return max(connector.batch, min(STARTED_AT_ONCE, int(SETTLE_AFTER / max(hub.calls(name).pace, QUICKEST))))


def _send(hub: Hub, name: str, connector: Delivers, heads: list[Row[Any]], claim: Claim) -> list[Row[Any]]:
    """Send ``heads``; what came of some is written in the commit that starts the next ones."""
    following: list[Row[Any]] = []
    sent: list[Sent] = []
    while heads or sent:
        batch, heads = heads[: (step := _at_once(hub, name, connector))], heads[step:]
        calls = hub.calls(name).take()

        def unit(
            tx: Tx, sent: list[Sent] = sent, batch: list[Row[Any]] = batch, calls: int = calls
        ) -> tuple[list[Row[Any]], list[Started]]:
            return _settle(hub, tx, name, sent, claim, calls), _start(hub, tx, name, batch, claim)

        more, started = hub.store.run(unit)
        following += more
        began = hub.now()
        sent = _call(hub, connector, started, claim)
        left = sum(one.outcome is not None for one in sent)
        if left:
            hub.calls(name).pace = (hub.now() - began) / left
    return following


def _call(hub: Hub, connector: Delivers, started: list[Started], claim: Claim) -> list[Sent]:
    """Call the vendor for each; ``None`` as the outcome of those that did not leave, because one before them failed in
    a way that may concern them too, or took too long."""
    sent: list[Sent] = []
    began, going = hub.now(), True
    for first in range(0, len(started), connector.batch):
        chunk = started[first : first + connector.batch]
        now = hub.now()
        if not going or now + hub.timing.call >= claim.until or (first and now - began > SETTLE_AFTER):
            sent += [Sent(one, None) for one in chunk]
            continue
        outcomes: list[Receipt | Accepted | Failure | Exception]
        try:
            outcomes = list(connector.deliver([one.delivery for one in chunk]))
            if len(outcomes) != len(chunk):
                outcomes = [OutcomeMismatch(len(chunk), len(outcomes))] * len(chunk)
        except Exception as error:  # every class of error has its handler in settle
            outcomes = [error] * len(chunk)
        going = all(_concerns_one(outcome) for outcome in outcomes)
        sent += [Sent(one, outcome) for one, outcome in zip(chunk, outcomes, strict=True)]
    return sent


def _concerns_one(outcome: Receipt | Accepted | Failure | Exception) -> bool:
    """True when the next delivery need not wait for what this outcome does to the connection."""
    error = outcome.error if isinstance(outcome, Failure) else outcome
    return not isinstance(error, Exception) or retry.action_for(error) in ("park", "follow_up")


def _settle(hub: Hub, tx: Tx, name: str, sent: list[Sent], claim: Claim, calls: int) -> list[Row[Any]]:
    """Write what came of each; return the next heads of their lanes."""
    connections.add_calls(tx, name, calls)
    following = []
    for one in sent:
        if one.outcome is None:
            deliveries.unstart(tx, one.started.row, token=claim.token, now=hub.now())
            redact.follow_by_id(hub, tx, one.started.row.id)
        else:
            body, trace = one.started.body, _trace(one.outcome)
            settle.settle(hub, tx, one.started.row, body, one.outcome, trace=trace, token=claim.token)
        following += _next(hub, tx, one.started.row, claim)
    return following


class OutcomeMismatch(Exception):
    """A connector answered another number of results than it got deliveries: nobody knows what was sent."""

    def __init__(self, sent: int, answered: int) -> None:
        super().__init__(f"{sent} deliveries, {answered} results")


def _trace(outcome: object) -> str:
    error = outcome.error if isinstance(outcome, Failure) else outcome
    if isinstance(error, ConnectorError):
        return error.detail
    return "".join(traceback.format_exception(error)) if isinstance(error, Exception) else ""


def _next(hub: Hub, tx: Tx, row: Row[Any], claim: Claim) -> list[Row[Any]]:
    """The next head of the lane under the same claim; the lane is given back when there is none."""
    now = hub.now()
    connection = connections.seen(tx, row.connection)
    blocked = connection.blocked_until is not None and connection.blocked_until > now
    free = not connection.paused and not blocked and not _silenced(tx, connection)
    if not free or now + hub.timing.call >= claim.until:
        deliveries.release_lane(tx, row.lane_id, token=claim.token)
        return []
    head = deliveries.follow_lane(tx, row.lane_id, token=claim.token, until=claim.until, now=now)
    return [] if head is None else [head]


def _start(hub: Hub, tx: Tx, name: str, heads: list[Row[Any]], claim: Claim) -> list[Started]:
    """Commit ``sending`` for what may go; the rest is given back or ends here."""
    now, started = hub.now(), list[Started]()
    if heads and now + hub.timing.call >= claim.until:
        _give_back(tx, heads, claim)
        return []
    connection = connections.seen(tx, name)
    for head in heads:
        if connection.paused or _silenced(tx, connection):
            _give_back(tx, [head], claim)
            continue
        body = settle.BODY.validate_json(head.body)
        turn = _other_turn(hub, name, head, body, now)
        if turn is not None:
            deliveries.unclaim(tx, head.id, token=claim.token, due_at=turn)
            deliveries.release_lane(tx, head.lane_id, token=claim.token)
            continue
        resolved = _resolve(tx, head, body)
        if isinstance(resolved, str):
            state = "discarded" if body.verb == "update_fields" else "parked"
            deliveries.settle(tx, head.id, token=claim.token, state=state, reason=resolved, done_at=now)
            deliveries.release_lane(tx, head.lane_id, token=claim.token)
            continue
        text = head.body if resolved is body else resolved.model_dump_json()
        row = deliveries.start(tx, head.id, token=claim.token, body=text, now=now)
        if row is not None:
            # A later attempt sends what the first one sent, whatever would be resolved now.
            frozen = resolved if row.attempts == 1 else settle.BODY.validate_json(row.body)
            started.append(Started(row, frozen, _as_delivery(hub, row, frozen)))
        else:  # not ours any more, or taken back meanwhile
            deliveries.release_lane(tx, head.lane_id, token=claim.token)
    return started


def _other_turn(hub: Hub, name: str, head: Row[Any], body: AnyBody, now: datetime) -> datetime | None:
    """When an answer may leave that was made for a later moment (a copy, a draft) and met like words on its way out;
    ``None``: now."""
    if not isinstance(body, Reply) or body.part > 1 or not body.text:
        return None
    if head.state != "claimed" or head.first_attempt_at is not None or head.due_at <= head.created_at:
        return None
    return hub.spacing.put_off(name, body.text, now=now)


def _resolve(tx: Tx, head: Row[Any], body: AnyBody) -> AnyBody | str:
    """Fill in the ids earlier receipts brought; a text says why it cannot go."""
    if head.first_attempt_at is not None or body.verb in ("open_ticket", "redact_comment"):
        return body  # a redaction names its record: the comment stays there when the ticket moves on
    if isinstance(body, Reply):
        if body.part == 1:
            return body
        previous = deliveries.previous_part(tx.connection, head)
        if previous is None:
            return "the part before this one was not published"
        return body.model_copy(update={"reply_to": previous.receipt_id})
    if hasattr(body, "record_id"):
        link = records.active(tx.connection, head.ticket_id, head.connection)
        if link is None:
            return "there is no record of this ticket in the helpdesk"
        return body.model_copy(update={"record_id": link.vendor_id})
    return body


def _as_delivery(hub: Hub, row: Row[Any], body: AnyBody) -> Delivery:
    return Delivery(
        key=row.uuid,
        body=unseal(hub, body),
        attempt=row.attempts,
        first_attempt_at=row.first_attempt_at,
        memo=row.memo or {},
    )


def _taken_back(hub: Hub, tx: Tx, head: Row[Any], claim: Claim) -> bool:
    """An answer that did not arrive, and was redacted meanwhile, ends here."""
    if not redact.stopped(tx, head.id):
        return False
    ended = {"state": "discarded", "reason": redact.TAKEN_BACK, "done_at": hub.now()}
    deliveries.settle(tx, head.id, token=claim.token, **ended)
    redact.follow_by_id(hub, tx, head.id)
    deliveries.release_lane(tx, head.lane_id, token=claim.token)
    return True


def _look(hub: Hub, name: str, connector: Delivers, head: Row[Any], claim: Claim, following: list[Row[Any]]) -> bool:
    """Find out what became of an unknown attempt. True: it is to be sent again; else the lane's next head, if there is
    one, is added to ``following``."""
    now = hub.now()
    settled_at = (head.last_attempt_at or now) + connector.settles_after
    if head.memo is None and settled_at > now:
        hub.store.run(lambda tx: settle.look_later(hub, tx, head, until=settled_at, token=claim.token))
        return False
    remembered = connector.idempotent_for
    if head.memo is None and remembered is not None and now < head.first_attempt_at + remembered - NO_KEY_MARGIN:
        return True  # the vendor still knows the key
    outcome: Found | Accepted | Absent | CannotTell | Exception
    if not isinstance(connector, Finds):
        outcome = CannotTell(reason="this vendor cannot be asked whether it arrived")
    else:
        try:
            outcome = connector.find(_as_delivery(hub, head, settle.BODY.validate_json(head.body)))
        except Exception as error:  # every class of error has its handler in settle
            outcome = error
    if isinstance(outcome, Absent):
        return not hub.store.run(lambda tx: _taken_back(hub, tx, head, claim))
    calls, shown = hub.calls(name).take(), outcome

    def unit(tx: Tx) -> list[Row[Any]]:
        connections.add_calls(tx, name, calls)
        settle.looked(hub, tx, head, shown, token=claim.token)
        return _next(hub, tx, head, claim)

    following += hub.store.run(unit)
    return False
