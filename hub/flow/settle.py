"""What a delivery's outcome means: the receipt and all that follows from it, or the error's handler."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from hub.flow import compose, late, redact, retry, texts, track
from hub.flow.hub import Hub
from hub.sdk import (
    Accepted,
    AddComment,
    CannotTell,
    ConnectorError,
    Failure,
    Found,
    OpenTicket,
    Proof,
    RateLimited,
    Receipt,
    Reply,
)
from hub.sdk.deliveries import AnyBody
from hub.store import Row, Tx, connections, deliveries, messages, records, tickets

log = logging.getLogger("hub.settle")
BODY: TypeAdapter[AnyBody] = TypeAdapter(AnyBody)
AT_IT = "the vendor took it and is at it"


def settle(
    hub: Hub,
    tx: Tx,
    row: Row[Any],
    body: AnyBody,
    outcome: Receipt | Accepted | Failure | Exception,
    *,
    trace: str,
    token: str,
) -> None:
    """Write the outcome of an attempt and what follows. Nothing happens when the claim is no longer ours."""
    if isinstance(outcome, Receipt):
        received(hub, tx, row, outcome, token=token, body=body)
        return
    if isinstance(outcome, Accepted):
        _accepted(hub, tx, row, outcome, token=token)
        return
    error: Exception = outcome.error if isinstance(outcome, Failure) else outcome
    action = retry.action_for(error)
    now = hub.now()
    summary = error.summary if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"[:300]
    request_id = error.vendor_request_id if isinstance(error, ConnectorError) else ""
    values = _AFTER[action](hub, tx, row, error, summary, now)
    after = deliveries.settle(tx, row.id, token=token, **values)
    if after is None:
        return
    deliveries.end_attempt(tx, row, now=now, outcome=action, summary=summary, detail=trace, request_id=request_id)
    retry.blame_connection(hub, tx, row.connection, error, now=now)
    if action == "bug":
        log.error("delivery %s at %s is parked, this is a bug of its plugin: %s", row.id, row.connection, summary)
    if values["state"] == "parked":
        _tell_parked(hub, tx, row, summary, now=now)
    redact.follow(hub, tx, after)


def _accepted(hub: Hub, tx: Tx, row: Row[Any], outcome: Accepted, *, token: str) -> None:
    """The vendor is at it: the lane is held until a look shows what came of it."""
    now = hub.now()
    due = now + timedelta(seconds=outcome.look_after)
    values: dict[str, Any] = {"state": "unknown", "reason": AT_IT, "memo": outcome.memo, "due_at": due, "looks": 0}
    if deliveries.settle(tx, row.id, token=token, **values) is not None:
        deliveries.end_attempt(tx, row, now=now, outcome="accepted")
        connections.succeeded(tx, row.connection, now=now)


def _retry(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    if retry.gives_up(hub, tx, row.connection, row.attempts):
        return {"state": "parked", "reason": f"gave up after {row.attempts} attempts: {summary}"}
    return {"state": "waiting", "reason": summary, "due_at": now + retry.backoff(hub, row.attempts)}


def _wait(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    assert isinstance(error, RateLimited)  # noqa: S101 - the table says so
    wait = retry.wait_of(hub, error)
    return {"state": "waiting", "reason": summary, "due_at": now + wait, "attempts": row.attempts - 1}


def _pause(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "reason": summary, "due_at": now, "attempts": row.attempts - 1}


def _park(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    return {"state": "parked", "reason": summary}


def _follow_up(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    """A closed record takes no comment: the same delivery, at its place in the lane, opens a follow-up instead."""
    body = BODY.validate_json(row.body)
    if not isinstance(body, AddComment):
        return _park(hub, tx, row, error, summary, now)
    link = records.active(tx.connection, row.ticket_id, row.connection)
    if link is not None:
        records.change(tx, link.id, active=False)
    tickets.add_event(tx, row.ticket_id, "follow_up", now=now, actor="hub", of=body.record_id)
    opened = OpenTicket(ticket=body.ticket, said=body.said, public=body.public, follow_up_of=body.record_id)
    return {
        "state": "waiting",
        "verb": "open_ticket",
        "body": opened.model_dump_json(),
        "reason": "the record is closed: a follow-up is opened",
        "due_at": now,
        "first_attempt_at": None,
        "attempts": 0,
    }


def _look(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    settles_after = hub.connected[row.connection].connector.settles_after  # type: ignore[attr-defined]
    return {"state": "unknown", "reason": summary, "due_at": now + settles_after, "looks": 0}


def _bug(hub: Hub, tx: Tx, row: Row[Any], error: Exception, summary: str, now: datetime) -> dict[str, Any]:
    # The plugin broke down after the bytes may have left: as dangerous to repeat as a lost answer.
    return {"state": "parked", "reason": f"{deliveries.HELD_BY_UNKNOWN}{summary}"}


_AFTER = {
    "retry": _retry,
    "wait": _wait,
    "pause": _pause,
    "park": _park,
    "follow_up": _follow_up,
    "look": _look,
    "bug": _bug,
}


def _tell_parked(hub: Hub, tx: Tx, row: Row[Any], summary: str, *, now: datetime) -> None:
    """A parked answer is the agent's business; anything else parked is IT's."""
    if row.ticket_id is None:
        return
    if row.verb != "reply":
        tickets.add_event(tx, row.ticket_id, "delivery_parked", now=now, actor=row.connection, reason=summary)
        return
    step = texts.next_step("vendor", hub.language)
    ticket = track.fresh(tx, row.ticket_id)
    # Each stop of one delivery is told once, also when it was tried again by hand and stopped again.
    cause = f"{row.uuid}:{row.attempts}"
    compose.tell_refusal(hub, tx, ticket, cause=cause, why=summary, step=step, now=now)


def received(
    hub: Hub, tx: Tx, row: Row[Any], receipt: Receipt, *, token: str | None, body: AnyBody | None = None
) -> None:
    """Write the receipt and what follows from it. ``token`` is ``None`` when the proof came by another way; ``body``
    is the row's, when it was read already."""
    now = hub.now()
    body = body or BODY.validate_json(row.body)
    values: dict[str, Any] = {
        "state": "done",
        "reason": "",
        "done_at": now,
        "receipt_id": receipt.vendor_id,
        "receipt": receipt.model_dump(mode="json"),
        "network": body.network if isinstance(body, Reply) else None,
    }
    after: Row[Any] | None
    if token is None:
        after = deliveries.change(tx, row.id, **values)
    else:
        after = deliveries.settle(tx, row.id, token=token, **values)
    if after is None:
        return
    deliveries.end_attempt(tx, row, now=now, outcome="done", request_id="")
    connections.succeeded(tx, row.connection, now=now)
    if row.verb in _RECEIVED:
        _RECEIVED[row.verb](hub, tx, row, body, receipt, now)
    redact.follow(hub, tx, after)


def _opened(hub: Hub, tx: Tx, row: Row[Any], body: OpenTicket, receipt: Receipt, now: datetime) -> None:
    link = records.link(
        tx,
        ticket_id=row.ticket_id,
        sink=row.connection,
        vendor_id=receipt.vendor_id,
        url=receipt.permalink,
        version=receipt.version,
        now=row.first_attempt_at or now,
    )
    if receipt.comment_id:
        _link_ours(tx, row, link, receipt.comment_id, public=body.public, now=now)
    tickets.add_event(
        tx,
        row.ticket_id,
        "record_opened",
        now=now,
        actor=row.connection,
        record=receipt.vendor_id,
        url=receipt.permalink,
    )


def _commented(hub: Hub, tx: Tx, row: Row[Any], body: AddComment, receipt: Receipt, now: datetime) -> None:
    link = records.find(tx.connection, row.connection, body.record_id)
    if link is not None and receipt.vendor_id:
        _link_ours(tx, row, link, receipt.vendor_id, public=body.public, now=now)


def _updated(hub: Hub, tx: Tx, row: Row[Any], body: Any, receipt: Receipt, now: datetime) -> None:
    link = records.find(tx.connection, row.connection, body.record_id)
    if link is not None and receipt.comment_id:
        _link_ours(tx, row, link, receipt.comment_id, public=False, now=now)


def _link_ours(tx: Tx, row: Row[Any], link: Row[Any], comment_id: str, *, public: bool, now: datetime) -> None:
    records.link_comment(
        tx,
        sink=row.connection,
        vendor_id=comment_id,
        record_link_id=link.id,
        message_id=row.message_id,
        direction="ours",
        public=public,
        now=now,
    )


def _redacted(hub: Hub, tx: Tx, row: Row[Any], body: Any, receipt: Receipt, now: datetime) -> None:
    told = {"message": row.message_id, "record": body.record_id}
    tickets.add_event(tx, row.ticket_id, "redacted_there", now=now, actor=row.connection, **told)


def _published(hub: Hub, tx: Tx, row: Row[Any], body: Reply, receipt: Receipt, now: datetime) -> None:
    if row.message_id is not None and body.part == 1:
        messages.was_published(
            tx, row.message_id, network=body.network, vendor_id=receipt.vendor_id, permalink=receipt.permalink
        )
    late.came_out(hub, tx, row, now=now)
    data: dict[str, Any] = {"permalink": receipt.permalink, "part": body.part, "parts": body.parts}
    tickets.add_event(tx, row.ticket_id, "answer_published", now=now, actor=row.connection, **data)
    if body.part == body.parts:
        earlier = deliveries.earlier_parts(tx.connection, row) if body.parts > 1 else []
        told = [*(Receipt.model_validate(one.receipt) for one in earlier), receipt]
        proofs = tuple(
            Proof(state="published", privacy=body.privacy, permalink=one.permalink, at=one.at or now) for one in told
        )
        ticket = track.fresh(tx, row.ticket_id)
        track.tell_sink(hub, tx, ticket, cause=f"proof:{row.uuid}", now=now, by_person=True, proofs=proofs)


_RECEIVED: dict[str, Any] = {
    "open_ticket": _opened,
    "add_comment": _commented,
    "update_fields": _updated,
    "redact_comment": _redacted,
    "reply": _published,
}


def look_later(hub: Hub, tx: Tx, row: Row[Any], *, until: datetime, token: str) -> None:
    """Leave an unknown delivery unknown until a look makes sense."""
    deliveries.settle(tx, row.id, token=token, due_at=until)
    deliveries.release_lane(tx, row.lane_id, token=token)


def looked(hub: Hub, tx: Tx, row: Row[Any], outcome: Found | Accepted | CannotTell | Exception, *, token: str) -> None:
    """Apply what a look showed. ``Absent`` is not handled here: the sender sends again under the same claim."""
    now = hub.now()
    if isinstance(outcome, Found):
        deliveries.end_attempt(tx, row, now=now, outcome="found")
        received(hub, tx, row, outcome.receipt, token=token)
        return
    if isinstance(outcome, Accepted):
        due = now + timedelta(seconds=outcome.look_after)
        deliveries.settle(tx, row.id, token=token, memo=outcome.memo, due_at=due)
        return
    reason = outcome.reason if isinstance(outcome, CannotTell) else str(outcome)
    deliveries.end_attempt(tx, row, now=now, outcome="cannot tell", summary=reason)
    if isinstance(outcome, Exception):
        retry.blame_connection(hub, tx, row.connection, outcome, now=now)
        if retry.action_for(outcome) in ("retry", "wait", "pause"):
            # The vendor could not be asked: that is no answer, and not counted as a look.
            wait = retry.wait_of(hub, outcome) if isinstance(outcome, RateLimited) else retry.backoff(hub, 1)
            deliveries.settle(tx, row.id, token=token, due_at=now + wait, reason=reason)
            return
    looks = row.looks + 1
    if looks < hub.timing.looks:
        deliveries.settle(tx, row.id, token=token, looks=looks, due_at=now + retry.backoff(hub, looks), reason=reason)
        return
    why = f"{deliveries.HELD_BY_UNKNOWN}nobody can tell whether it arrived ({reason})"
    after = deliveries.settle(tx, row.id, token=token, state="parked", looks=looks, reason=why)
    if after is not None:
        _tell_parked(hub, tx, row, why, now=now)
        redact.follow(hub, tx, after)
