"""The door out: deliveries in their lanes. Claims take lanes, not rows."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, text, update

from hub.store import rows
from hub.store import tables as t
from hub.store.columns import Utc
from hub.store.prepared import run
from hub.store.upsert import insert_new
from hub.store.writer import Tx

NAMESPACE = uuid.UUID("8a1f3c52-5c0e-5d0b-9d3c-7f1f7c0b9a11")
SHARDS = 64
LIVE = ("waiting", "claimed", "sending", "unknown")
HELD_BY_UNKNOWN = "unknown outcome: "

# LIVE or parked, in the words of the partial indexes: without them SQLite reads the whole table.
NOT_ENDED = text("delivery.state NOT IN ('done', 'superseded', 'discarded')")
"""Word for word that of the partial indexes: written otherwise, no database would take them for it."""

_LANE = select(t.lane).where(*rows.where(t.lane, "connection", "key")).with_for_update()
_LANE_BY_ID = select(t.lane.c.id).where(*rows.where(t.lane, "id")).with_for_update()
_LANE_IS_FREE = or_(t.lane.c.lease_until.is_(None), t.lane.c.lease_until <= bindparam("now"))
_DUE_LANES = select(t.lane.c.id).where(
    t.lane.c.connection == bindparam("connection"), t.lane.c.due_at <= bindparam("now"), _LANE_IS_FREE
)
_ANY_DUE = _DUE_LANES.limit(1)
_CLAIMABLE = (
    _DUE_LANES.order_by(t.lane.c.priority.desc(), t.lane.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIMABLE_OF_SHARD = _CLAIMABLE.where(t.lane.c.shard == bindparam("shard"))
_CLAIM = update(t.lane).where(t.lane.c.id.in_(bindparam("lane_ids", expanding=True)))
HEADS_AT_ONCE = 50
_OPEN_OF_LANE = (
    select(t.delivery)
    .where(*rows.where(t.delivery, "lane_id"), t.delivery.c.id > bindparam("after"), NOT_ENDED)
    .order_by(t.delivery.c.id)
    .limit(HEADS_AT_ONCE)
)
_NEVER_STARTED = t.delivery.c.first_attempt_at.is_(None)
_START = (
    update(t.delivery)
    .where(*rows.where(t.delivery, "id", "claim_token"), text("delivery.state IN ('claimed', 'unknown')"))
    .values(
        state="sending",
        attempts=t.delivery.c.attempts + 1,
        first_attempt_at=case((_NEVER_STARTED, bindparam("now", type_=Utc)), else_=t.delivery.c.first_attempt_at),
        last_attempt_at=bindparam("now", type_=Utc),
        memo=None,
        body=case((_NEVER_STARTED, bindparam("first_body")), else_=t.delivery.c.body),
    )
    .returning(t.delivery)
)
_OPEN_FOR = select(t.delivery).where(*rows.where(t.delivery, "ticket_id", "connection", "verb"), NOT_ENDED).limit(1)
_HELD_LANES = select(t.lane.c.id).where(text("lane.claim_token != ''")).limit(1000).with_for_update(skip_locked=True)
_LEFT_LANES = _HELD_LANES.where(t.lane.c.lease_until <= bindparam("now"))


def enqueue(
    tx: Tx,
    *,
    key: str,
    connection: str,
    lane: str,
    body: BaseModel,
    now: datetime,
    ticket_id: int | None,
    by_person: bool,
    message_id: int | None = None,
    due_at: datetime | None = None,
    priority: int = 0,
    answer: str | None = None,
    part: int = 1,
    state: str = "waiting",
    reason: str = "",
) -> int | None:
    """Put one delivery at the end of its lane; ``None`` when its key is known (the effect was asked for before)."""
    due_at = due_at or now
    new_lane = {
        "connection": connection,
        "key": lane,
        "shard": zlib.crc32(lane.encode()) % SHARDS,
        "priority": priority,
        "due_at": due_at if state == "waiting" else None,
    }
    made_lane = insert_new(tx, t.lane, new_lane, key=["connection", "key"])
    # The row lock keeps a worker that is just finishing this lane from overwriting due_at on PostgreSQL.
    lane_row = made_lane or run(tx.connection, _LANE, rows.at({"connection": connection, "key": lane})).one()
    values: dict[str, Any] = {
        "key": key,
        "uuid": str(uuid.uuid5(NAMESPACE, key)),
        "lane_id": lane_row.id,
        "connection": connection,
        "ticket_id": ticket_id,
        "message_id": message_id,
        "verb": body.verb,  # type: ignore[attr-defined]
        "body": body.model_dump_json(),
        "state": state,
        "reason": reason,
        "answer": answer,
        "part": part,
        "by_person": by_person,
        "created_at": now,
        "due_at": due_at,
        "done_at": now if state == "discarded" else None,
    }
    row = insert_new(tx, t.delivery, values, key=["key"])
    if row is None and made_lane is not None:
        refresh_lane(tx, lane_row.id)  # it was made due for nothing
    if row is None:
        return None
    if made_lane is None:
        refresh_lane(tx, lane_row.id, priority=priority)
    return int(row.id)


def refresh_lane(tx: Tx, lane_id: int, *, priority: int | None = None) -> Row[Any] | None:
    """Make the lane due when its head is; return the head (``None``: nothing to do, or held)."""
    head = head_of(tx.connection, lane_id)
    values: dict[str, Any] = {"due_at": None if head is None else head.due_at}
    if priority is not None:
        values["priority"] = priority
    rows.change(tx, t.lane, {"id": lane_id}, values)
    return head


def head_of(connection: Connection, lane_id: int) -> Row[Any] | None:
    """The delivery whose turn it is.

    Parked ones are passed over, except what holds: the opening of a ticket and an unknown outcome hold the lane, an
    earlier part holds the later parts of its answer.
    """
    held_answers: set[str] = set()
    for row in _not_ended(connection, lane_id):
        if row.state != "parked":
            if row.answer in held_answers:
                continue
            return row
        if row.verb == "open_ticket" or row.reason.startswith(HELD_BY_UNKNOWN):
            return None
        if row.answer:
            held_answers.add(row.answer)
    return None


def _not_ended(connection: Connection, lane_id: int) -> Iterator[Row[Any]]:
    """A lane's deliveries in order, a page at a time: parked ones may be many, and the head is mostly the first."""
    after = 0
    while True:
        page = run(connection, _OPEN_OF_LANE, {**rows.at({"lane_id": lane_id}), "after": after}).all()
        yield from page
        if len(page) < HEADS_AT_ONCE:
            return
        after = page[-1].id


def claim(
    tx: Tx, connection: str, *, token: str, now: datetime, lease: timedelta, limit: int, shard: int | None = None
) -> list[Row[Any]]:
    """Take up to ``limit`` due lanes of a connection and return their heads.

    A head in ``waiting`` becomes ``claimed``; one left in ``sending`` by a dead sender becomes ``unknown``.
    """
    wanted: dict[str, Any] = {"connection": connection, "now": now, "most": limit}
    if shard is None:
        due = run(tx.connection, _CLAIMABLE, wanted)
    else:
        due = run(tx.connection, _CLAIMABLE_OF_SHARD, {**wanted, "shard": shard})
    lane_ids = [row.id for row in due]
    if not lane_ids:
        return []
    until = now + lease
    tx.execute(_CLAIM, {"lane_ids": lane_ids, "claim_token": token, "lease_until": until})
    heads = []
    for lane_id in lane_ids:
        row = follow_lane(tx, lane_id, token=token, until=until, now=now)
        if row is not None:
            heads.append(row)
    return heads


def release_lane(tx: Tx, lane_id: int, *, token: str) -> None:
    """Give a lane back; it is due again when its head is."""
    _lock_lane(tx, lane_id)
    _give_back(tx, lane_id, head_of(tx.connection, lane_id), token=token)


def _lock_lane(tx: Tx, lane_id: int) -> None:
    # Whoever enqueues locks the lane first: read the head before that, and its due_at would be overwritten.
    if tx.connection.dialect.name != "sqlite":
        run(tx.connection, _LANE_BY_ID, rows.at({"id": lane_id}))


def _give_back(tx: Tx, lane_id: int, head: Row[Any] | None, *, token: str) -> None:
    free = {"claim_token": "", "lease_until": None, "due_at": None if head is None else head.due_at}
    rows.change(tx, t.lane, {"id": lane_id, "claim_token": token}, free)


def follow_lane(tx: Tx, lane_id: int, *, token: str, until: datetime, now: datetime) -> Row[Any] | None:
    """Claim a held lane's head; ``None`` when there is none or it is not due: the lane is given back then."""
    _lock_lane(tx, lane_id)
    head = head_of(tx.connection, lane_id)
    if head is None or (head.due_at > now and head.state in ("waiting", "unknown")):
        _give_back(tx, lane_id, head, token=token)
        return None
    state = "claimed" if head.state in ("waiting", "claimed") else "unknown"
    values = {"state": state, "claim_token": token, "lease_until": until}
    return rows.change_returning(tx, t.delivery, {"id": head.id}, values)


def unclaim(tx: Tx, delivery_id: int, *, token: str, due_at: datetime | None = None) -> None:
    """Take back a claim that was not used."""
    values: dict[str, Any] = {"state": "waiting", "claim_token": "", "lease_until": None}
    if due_at is not None:
        values["due_at"] = due_at
    rows.change(tx, t.delivery, {"id": delivery_id, "claim_token": token, "state": "claimed"}, values)


def start(tx: Tx, delivery_id: int, *, token: str, body: str, now: datetime) -> Row[Any] | None:
    """Commit ``sending`` just before the bytes leave; ``None`` when the claim is no longer ours.

    ``body`` is frozen by the first attempt: later ones send what that one sent.
    """
    mine = rows.at({"id": delivery_id, "claim_token": token})
    return run(tx.connection, _START, {**mine, "now": now, "first_body": body}).first()


def end_attempt(
    tx: Tx, row: Row[Any], *, now: datetime, outcome: str, summary: str = "", detail: str = "", request_id: str = ""
) -> None:
    """Write down how an attempt of a delivery (its row from before), or a look for one, ended."""
    values = {
        "delivery_id": row.id,
        "started_at": row.last_attempt_at if row.state == "sending" else now,
        "ended_at": now,
        "outcome": outcome,
        "summary": summary,
        "detail": detail[:4000],
        "vendor_request_id": request_id,
    }
    tx.later.add(t.attempt, values)


def settle(tx: Tx, delivery_id: int, *, token: str, **values: Any) -> Row[Any] | None:
    """Write a result where the claim is still ours; ``None`` when it is not (the result is then lost on purpose: the
    new holder looks for it)."""
    values = {"claim_token": "", "lease_until": None, **values}
    return rows.change_returning(tx, t.delivery, {"id": delivery_id, "claim_token": token}, values)


def unstart(tx: Tx, row: Row[Any], *, token: str, now: datetime) -> None:
    """Take back a start whose bytes never left: the delivery waits as if it had not been tried."""
    first = None if row.attempts <= 1 else row.first_attempt_at
    values: dict[str, Any] = {"state": "waiting", "attempts": row.attempts - 1, "first_attempt_at": first}
    if settle(tx, row.id, token=token, **values) is not None:
        end_attempt(tx, row, now=now, outcome="not sent")


def change(tx: Tx, delivery_id: int, **values: Any) -> Row[Any]:
    """Set columns of a delivery and refresh its lane; return it as it is now."""
    row = rows.change_returning(tx, t.delivery, {"id": delivery_id}, values)
    assert row is not None  # noqa: S101 - deliveries are never deleted
    refresh_lane(tx, row.lane_id)
    return row


def by_id(connection: Connection, delivery_id: int) -> Row[Any] | None:
    """One delivery."""
    return rows.find(connection, t.delivery, {"id": delivery_id})


def by_key(connection: Connection, key: str) -> Row[Any] | None:
    """The delivery of this idempotency key."""
    return rows.find(connection, t.delivery, {"key": key})


def by_uuid(connection: Connection, value: str) -> Row[Any] | None:
    """The delivery a vendor's origin mark names."""
    return rows.find(connection, t.delivery, {"uuid": value})


def by_receipt(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The delivery that published this message."""
    return rows.find(connection, t.delivery, {"network": network, "receipt_id": vendor_id})


def previous_part(connection: Connection, row: Row[Any]) -> Row[Any] | None:
    """The part before this one, once it is published."""
    key = {"ticket_id": row.ticket_id, "answer": row.answer, "part": row.part - 1, "state": "done"}
    return rows.find(connection, t.delivery, key)


def earlier_parts(connection: Connection, row: Row[Any]) -> Sequence[Row[Any]]:
    """The published parts before this one, in order."""
    query = select(t.delivery).where(
        t.delivery.c.ticket_id == row.ticket_id,
        t.delivery.c.answer == row.answer,
        t.delivery.c.part < row.part,
        t.delivery.c.state == "done",
    )
    return connection.execute(query.order_by(t.delivery.c.part)).all()


def in_flight(connection: Connection, *, ticket_ids: Sequence[int], side: Sequence[str]) -> bool:
    """True while a delivery of these tickets with one of these verbs may be arriving at its vendor."""
    query = select(t.delivery.c.id).where(
        t.delivery.c.ticket_id.in_(ticket_ids),
        t.delivery.c.verb.in_(side),
        t.delivery.c.state.in_(("sending", "unknown")),
    )
    return connection.execute(query.limit(1)).first() is not None


def unknown_replies(connection: Connection, ticket_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Answers parked because nobody could tell whether they arrived."""
    query = select(t.delivery).where(
        t.delivery.c.ticket_id.in_(ticket_ids),
        t.delivery.c.verb == "reply",
        t.delivery.c.state == "parked",
        t.delivery.c.reason.startswith(HELD_BY_UNKNOWN),
    )
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def opening_in_flight(connection: Connection, sink: str) -> bool:
    """True while any record is being opened at this sink."""
    query = select(t.delivery.c.id).where(
        t.delivery.c.connection == sink,
        t.delivery.c.verb == "open_ticket",
        t.delivery.c.state.in_(("sending", "unknown")),
        NOT_ENDED,
    )
    return connection.execute(query.limit(1)).first() is not None


def waiting_update(connection: Connection, ticket_id: int, sink: str) -> Row[Any] | None:
    """The field update of a ticket at a sink that has not left: newer changes are folded into it."""
    query = select(t.delivery).where(
        t.delivery.c.ticket_id == ticket_id,
        t.delivery.c.connection == sink,
        t.delivery.c.verb == "update_fields",
        t.delivery.c.state == "waiting",
        t.delivery.c.first_attempt_at.is_(None),
    )
    return connection.execute(query.order_by(t.delivery.c.id.desc()).limit(1)).first()


def open_for(connection: Connection, ticket_id: int, sink: str, verb: str) -> Row[Any] | None:
    """A delivery of this verb that has not ended."""
    wanted = rows.at({"ticket_id": ticket_id, "connection": sink, "verb": verb})
    return run(connection, _OPEN_FOR, wanted).first()


def of_message(connection: Connection, message_id: int, *, connection_name: str) -> Sequence[Row[Any]]:
    """A message's deliveries at one connection."""
    query = select(t.delivery).where(t.delivery.c.message_id == message_id, t.delivery.c.connection == connection_name)
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def parked_with(connection: Connection, ticket_id: int, reason: str) -> Sequence[Row[Any]]:
    """A ticket's deliveries parked with a reason that starts so."""
    query = select(t.delivery).where(
        t.delivery.c.ticket_id == ticket_id, t.delivery.c.state == "parked", t.delivery.c.reason.startswith(reason)
    )
    return connection.execute(query.order_by(t.delivery.c.id)).all()


def automatic_since(connection: Connection, ticket_id: int, *, since: datetime) -> int:
    """How many deliveries no person caused a ticket has had since ``since``: what the fuse counts."""
    query = select(func.count()).where(
        t.delivery.c.ticket_id == ticket_id, ~t.delivery.c.by_person, t.delivery.c.created_at > since
    )
    return int(connection.execute(query).scalar_one())


def recover(tx: Tx, *, now: datetime, everything: bool) -> int:
    """Free what dead senders hold. ``everything``: at the start of the only process, whatever the leases say.

    What was ``sending`` becomes ``unknown`` and is looked up; what was ``claimed`` is simply claimed again.
    """
    held = tx.execute(_HELD_LANES) if everything else tx.execute(_LEFT_LANES, {"now": now})
    lanes = [row.id for row in held]
    if not lanes:
        return 0
    of_lanes = and_(t.delivery.c.lane_id.in_(lanes), NOT_ENDED)
    free = {"claim_token": "", "lease_until": None}
    tx.execute(update(t.delivery).where(of_lanes, t.delivery.c.state == "claimed").values(state="waiting", **free))
    for row in tx.execute(select(t.delivery).where(of_lanes, t.delivery.c.state == "sending")):
        end_attempt(tx, row, now=now, outcome="unknown", summary="the hub ended while it was being sent")
    tx.execute(update(t.delivery).where(of_lanes, t.delivery.c.state == "sending").values(state="unknown", **free))
    tx.execute(_CLAIM, {"lane_ids": lanes, "claim_token": "", "lease_until": None})
    for lane_id in lanes:
        refresh_lane(tx, lane_id)
    return len(lanes)


def count_by_state(connection: Connection) -> Sequence[Row[Any]]:
    """(connection, state, count)."""
    query = select(t.delivery.c.connection, t.delivery.c.state, func.count().label("count"))
    return connection.execute(query.group_by(t.delivery.c.connection, t.delivery.c.state)).all()


def any_due(connection: Connection, name: str, *, now: datetime) -> bool:
    """True when a sender of this connection has something to claim."""
    return run(connection, _ANY_DUE, {"connection": name, "now": now}).first() is not None
