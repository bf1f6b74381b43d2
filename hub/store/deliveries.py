"""The door out: deliveries in their lanes. Claims take lanes, not rows."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, Row, and_, func, or_, select, update

from hub.store import tables as t
from hub.store.upsert import insert_new
from hub.store.writer import Tx

NAMESPACE = uuid.UUID("8a1f3c52-5c0e-5d0b-9d3c-7f1f7c0b9a11")
SHARDS = 64
LIVE = ("waiting", "claimed", "sending", "unknown")
HELD_BY_UNKNOWN = "unknown outcome: "


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
    lane_row = insert_new(
        tx,
        t.lane,
        {"connection": connection, "key": lane, "shard": zlib.crc32(lane.encode()) % SHARDS, "priority": priority},
        key=["connection", "key"],
    )
    if lane_row is None:
        # The row lock keeps a worker that is just finishing this lane from overwriting due_at on PostgreSQL.
        query = select(t.lane).where(t.lane.c.connection == connection, t.lane.c.key == lane).with_for_update()
        lane_row = tx.execute(query).one()
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
        "due_at": due_at or now,
        "done_at": now if state == "discarded" else None,
    }
    row = insert_new(tx, t.delivery, values, key=["key"])
    if row is None:
        return None
    refresh_lane(tx, lane_row.id, priority=priority)
    return int(row.id)


def refresh_lane(tx: Tx, lane_id: int, *, priority: int | None = None) -> Row[Any] | None:
    """Make the lane due when its head is; return the head (``None``: nothing to do, or held)."""
    head = head_of(tx.connection, lane_id)
    values: dict[str, Any] = {"due_at": None if head is None else head.due_at}
    if priority is not None:
        values["priority"] = priority
    tx.execute(update(t.lane).where(t.lane.c.id == lane_id).values(**values))
    return head


def head_of(connection: Connection, lane_id: int) -> Row[Any] | None:
    """The delivery whose turn it is.

    Parked ones are passed over, except what holds: the opening of a ticket and an unknown outcome hold the lane, an
    earlier part holds the later parts of its answer.
    """
    query = select(t.delivery).where(t.delivery.c.lane_id == lane_id, t.delivery.c.state.in_((*LIVE, "parked")))
    held_answers: set[str] = set()
    for row in connection.execute(query.order_by(t.delivery.c.id).limit(50)):
        if row.state != "parked":
            if row.answer in held_answers:
                continue
            return row
        if row.verb == "open_ticket" or row.reason.startswith(HELD_BY_UNKNOWN):
            return None
        if row.answer:
            held_answers.add(row.answer)
    return None


def claim(
    tx: Tx, connection: str, *, token: str, now: datetime, lease: timedelta, limit: int, shard: int | None = None
) -> list[Row[Any]]:
    """Take up to ``limit`` due lanes of a connection and return their heads.

    A head in ``waiting`` becomes ``claimed``; one left in ``sending`` by a dead sender becomes ``unknown``.
    """
    free = or_(t.lane.c.lease_until.is_(None), t.lane.c.lease_until <= now)
    query = select(t.lane.c.id).where(t.lane.c.connection == connection, t.lane.c.due_at <= now, free)
    if shard is not None:
        query = query.where(t.lane.c.shard == shard)
    due = query.order_by(t.lane.c.priority.desc(), t.lane.c.due_at).limit(limit).with_for_update(skip_locked=True)
    lane_ids = [row.id for row in tx.execute(due)]
    if not lane_ids:
        return []
    until = now + lease
    tx.execute(update(t.lane).where(t.lane.c.id.in_(lane_ids)).values(claim_token=token, lease_until=until))
    heads = []
    for lane_id in lane_ids:
        row = claim_head(tx, lane_id, token=token, until=until, now=now)
        if row is None:
            release_lane(tx, lane_id, token=token)
        else:
            heads.append(row)
    return heads


def claim_head(tx: Tx, lane_id: int, *, token: str, until: datetime, now: datetime) -> Row[Any] | None:
    """Claim the head of a lane whose lease is ours; ``None`` when it is not due."""
    head = head_of(tx.connection, lane_id)
    if head is None or (head.due_at > now and head.state in ("waiting", "unknown")):
        return None
    values: dict[str, Any] = {"claim_token": token, "lease_until": until}
    if head.state in ("waiting", "claimed"):
        values["state"] = "claimed"
    else:
        values["state"] = "unknown"
    changed = update(t.delivery).where(t.delivery.c.id == head.id).values(**values).returning(t.delivery)
    return tx.execute(changed).one()


def release_lane(tx: Tx, lane_id: int, *, token: str) -> None:
    """Give a lane back; it is due again when its head is."""
    mine = and_(t.lane.c.id == lane_id, t.lane.c.claim_token == token)
    changed = tx.execute(update(t.lane).where(mine).values(claim_token="", lease_until=None))
    if changed.rowcount:
        refresh_lane(tx, lane_id)


def unclaim(tx: Tx, delivery_id: int, *, token: str, due_at: datetime | None = None) -> None:
    """Take back a claim that was not used."""
    mine = and_(t.delivery.c.id == delivery_id, t.delivery.c.claim_token == token, t.delivery.c.state == "claimed")
    values: dict[str, Any] = {"state": "waiting", "claim_token": "", "lease_until": None}
    if due_at is not None:
        values["due_at"] = due_at
    tx.execute(update(t.delivery).where(mine).values(**values))


def start(tx: Tx, delivery_id: int, *, token: str, body: str, now: datetime) -> Row[Any] | None:
    """Commit ``sending`` just before the bytes leave; ``None`` when the claim is no longer ours.

    ``body`` is frozen by the first attempt: later ones send what that one sent.
    """
    mine = and_(
        t.delivery.c.id == delivery_id,
        t.delivery.c.claim_token == token,
        t.delivery.c.state.in_(("claimed", "unknown")),
    )
    row = tx.execute(select(t.delivery).where(mine).with_for_update()).first()
    if row is None:
        return None
    values: dict[str, Any] = {"state": "sending", "attempts": row.attempts + 1, "last_attempt_at": now}
    if row.first_attempt_at is None:
        values.update(first_attempt_at=now, body=body)
    tx.execute(t.attempt.insert().values(delivery_id=delivery_id, started_at=now))
    changed = update(t.delivery).where(t.delivery.c.id == delivery_id).values(**values).returning(t.delivery)
    return tx.execute(changed).one()


def end_attempt(
    tx: Tx, delivery_id: int, *, now: datetime, outcome: str, summary: str = "", detail: str = "", request_id: str = ""
) -> None:
    """Write down how the running attempt (or look) ended."""
    running = select(func.max(t.attempt.c.id)).where(
        t.attempt.c.delivery_id == delivery_id, t.attempt.c.ended_at.is_(None)
    )
    attempt_id = tx.execute(running).scalar()
    values = {
        "ended_at": now,
        "outcome": outcome,
        "summary": summary,
        "detail": detail[:4000],
        "vendor_request_id": request_id,
    }
    if attempt_id is None:
        tx.execute(t.attempt.insert().values(delivery_id=delivery_id, started_at=now, **values))
    else:
        tx.execute(update(t.attempt).where(t.attempt.c.id == attempt_id).values(**values))


def settle(tx: Tx, delivery_id: int, *, token: str, **values: Any) -> Row[Any] | None:
    """Write a result where the claim is still ours; ``None`` when it is not (the result is then lost on purpose: the
    new holder looks for it)."""
    mine = and_(t.delivery.c.id == delivery_id, t.delivery.c.claim_token == token)
    values = {"claim_token": "", "lease_until": None, **values}
    return tx.execute(update(t.delivery).where(mine).values(**values).returning(t.delivery)).first()


def change(tx: Tx, delivery_id: int, **values: Any) -> None:
    """Set columns of a delivery and refresh its lane."""
    changed = update(t.delivery).where(t.delivery.c.id == delivery_id).values(**values).returning(t.delivery.c.lane_id)
    lane_id = tx.execute(changed).scalar_one()
    refresh_lane(tx, lane_id)


def by_id(connection: Connection, delivery_id: int) -> Row[Any] | None:
    """One delivery."""
    return connection.execute(select(t.delivery).where(t.delivery.c.id == delivery_id)).first()


def by_uuid(connection: Connection, value: str) -> Row[Any] | None:
    """The delivery a vendor's origin mark names."""
    return connection.execute(select(t.delivery).where(t.delivery.c.uuid == value)).first()


def by_receipt(connection: Connection, network: str, vendor_id: str) -> Row[Any] | None:
    """The delivery that published this message."""
    query = select(t.delivery).where(t.delivery.c.network == network, t.delivery.c.receipt_id == vendor_id)
    return connection.execute(query).first()


def previous_part(connection: Connection, row: Row[Any]) -> Row[Any] | None:
    """The part before this one, once it is published."""
    query = select(t.delivery).where(
        t.delivery.c.answer == row.answer, t.delivery.c.part == row.part - 1, t.delivery.c.state == "done"
    )
    return connection.execute(query).first()


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
    query = select(t.delivery).where(
        t.delivery.c.ticket_id == ticket_id,
        t.delivery.c.connection == sink,
        t.delivery.c.verb == verb,
        t.delivery.c.state.in_((*LIVE, "parked")),
    )
    return connection.execute(query.limit(1)).first()


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
    held = t.lane.c.claim_token != ""
    if not everything:
        held = and_(held, t.lane.c.lease_until <= now)
    lanes = [
        row.id for row in tx.execute(select(t.lane.c.id).where(held).limit(1000).with_for_update(skip_locked=True))
    ]
    if not lanes:
        return 0
    of_lanes = t.delivery.c.lane_id.in_(lanes)
    free = {"claim_token": "", "lease_until": None}
    tx.execute(update(t.delivery).where(of_lanes, t.delivery.c.state == "claimed").values(state="waiting", **free))
    tx.execute(update(t.delivery).where(of_lanes, t.delivery.c.state == "sending").values(state="unknown", **free))
    tx.execute(update(t.lane).where(t.lane.c.id.in_(lanes)).values(claim_token="", lease_until=None))
    for lane_id in lanes:
        refresh_lane(tx, lane_id)
    return len(lanes)


def count_by_state(connection: Connection) -> Sequence[Row[Any]]:
    """(connection, state, count)."""
    query = select(t.delivery.c.connection, t.delivery.c.state, func.count().label("count"))
    return connection.execute(query.group_by(t.delivery.c.connection, t.delivery.c.state)).all()


def any_due(connection: Connection, name: str, *, now: datetime) -> bool:
    """True when a sender of this connection has something to claim."""
    free = or_(t.lane.c.lease_until.is_(None), t.lane.c.lease_until <= now)
    query = select(t.lane.c.id).where(t.lane.c.connection == name, t.lane.c.due_at <= now, free)
    return connection.execute(query.limit(1)).first() is not None
