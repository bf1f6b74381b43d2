"""A webhook comes in: verify, take the events out, store, answer. Everything else happens later."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from hub.flow.hub import Hub
from hub.sdk import (
    AnyEvent,
    ConnectorError,
    PayloadNotUnderstood,
    ReceivesWebhooks,
    SignatureRejected,
    Unreadable,
    UnsupportedEvent,
    WebhookReply,
    WebhookRequest,
)
from hub.store import StoreBusy, Tx, connections, inbox

log = logging.getLogger("hub.receive")

MAX_BODY = 1024 * 1024
MAX_EVENTS = 5_000
KEPT_HEADERS = ("content-type", "user-agent", "date")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the web answers. ``retry_after`` is in seconds, for 503."""

    status: int
    text: str = ""
    retry_after: int | None = None
    handshake: WebhookReply | None = None


def receive(hub: Hub, name: str, request: WebhookRequest) -> Answer:
    """Store a webhook's events; never raises, never loses what it answered 200 to.

    401 bad signature (counted, nothing kept); 404 unknown connection; 413 too large; 200 stored, also when it was not
    understood (parked) or the connection is paused; 503 plugin broken or store down, so that the vendor retries.
    """
    connected = hub.connected.get(name)
    if connected is None or not connected.has(ReceivesWebhooks):
        return Answer(404, "no such connection")
    if len(request.body) > MAX_BODY:
        return Answer(413, "body too large")
    try:
        connector = hub.instance(name)
        assert isinstance(connector, ReceivesWebhooks)  # noqa: S101 - checked by its role
        handshake = connector.answer_handshake(request)
        if handshake is not None:
            return Answer(handshake.status, handshake=handshake)
        if request.method != "POST":
            return Answer(405, "POST only")
        connector.verify(request)
        events, note = _events(connector, request)
    except SignatureRejected as error:
        return _rejected(hub, name, error)
    except Exception:
        log.exception("the plugin of %s cannot take webhooks now", name)
        return Answer(503, "try again later", retry_after=30)
    try:
        _store(hub, name, request, events, note)
    except StoreBusy:
        return Answer(503, "busy, try again", retry_after=5)
    except Exception:
        log.exception("a webhook of %s could not be stored", name)
        return Answer(503, "try again later", retry_after=30)
    return Answer(200, "stored")


def _events(connector: ReceivesWebhooks, request: WebhookRequest) -> tuple[list[AnyEvent], str]:
    try:
        events = list(connector.events(request))
    except UnsupportedEvent as error:
        return [], f"ignored: {error.summary}"
    except (PayloadNotUnderstood, RecursionError, ValueError, OverflowError) as error:
        reason = error.summary if isinstance(error, ConnectorError) else f"not readable ({type(error).__name__})"
        digest = hashlib.sha256(request.body).hexdigest()
        return [Unreadable(event_key=f"body:{digest}", raw="", reason=reason)], f"parked: {reason}"
    if len(events) > MAX_EVENTS:
        digest = hashlib.sha256(request.body).hexdigest()
        reason = f"more than {MAX_EVENTS} events in one body"
        return [Unreadable(event_key=f"body:{digest}", raw="", reason=reason)], f"parked: {reason}"
    return events, ""


def _store(hub: Hub, name: str, request: WebhookRequest, events: list[AnyEvent], note: str) -> None:
    now = hub.now()
    headers = {key: value for key, value in request.headers.items() if key in KEPT_HEADERS}

    def unit(tx: Tx) -> None:
        arrival_id = inbox.add_arrival(
            tx,
            connection=name,
            method=request.method,
            content_type=request.headers.get("content-type", "")[:200],
            headers=headers,
            body=request.body,
            digest=hashlib.sha256(request.body).hexdigest(),
            note=note,
            now=now,
        )
        if inbox.add_events(tx, connection=name, events=events, now=now, arrival_id=arrival_id):
            tx.after_commit.append(lambda: hub.nudge(inbox.nudged(name)))

    hub.store.submit(unit).result(timeout=20)


def _rejected(hub: Hub, name: str, error: SignatureRejected) -> Answer:
    log.warning("%s: a webhook was refused: %s", name, error.summary)

    def unit(tx: Tx) -> None:
        row = connections.get(tx.connection, name)
        connections.change(tx, name, signatures_rejected=row.signatures_rejected + 1)

    try:
        hub.store.submit(unit)
    except StoreBusy:
        log.warning("%s: the refusal was not counted, the store is busy", name)
    return Answer(401)
