"""Signed webhooks: what is believed, what is refused, and what is taken out of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from zendesk_cases import Account, make_sink, opening, vendor_settings

from hub.sdk import Hint, PayloadNotUnderstood, Receipt, SignatureRejected, UnsupportedEvent, WebhookRequest
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.sink import OWN_ACCOUNT, mark_of

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
SINK = make_sink(vendor_settings(webhook_secrets=["old-secret", "new-secret"]))


def signed(body: bytes, *, secret: str = "new-secret", at: datetime = NOW, **headers: str) -> WebhookRequest:
    """A request as Zendesk would send it."""
    timestamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    sent = {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": timestamp,
    }
    return WebhookRequest("POST", "/hooks/acme", sent | headers, {}, body, NOW)


def event(kind: str = "ticket.comment_added", **more: Any) -> bytes:
    """An event webhook's body."""
    body = {"type": f"zen:event-type:{kind}", "id": "e-1", "detail": {"id": "35436"}, "event": {}}
    return json.dumps(body | more).encode()


@pytest.mark.parametrize("secret", ["old-secret", "new-secret"])
def test_both_secrets_are_good_during_a_rotation(secret: str) -> None:
    """The signature under either is accepted."""
    SINK.verify(signed(event(), secret=secret))


def test_the_vendors_own_documented_signature() -> None:
    """Bytes signed by an independent computation of the documented rule are accepted (base64, timestamp first)."""
    body = b'{"ticket_id": "1"}'
    mac = hmac.HMAC(b"new-secret", digestmod="sha256")
    mac.update(b"2026-11-22T10:00:00Z")
    mac.update(body)
    headers = {
        "x-zendesk-webhook-signature": base64.standard_b64encode(mac.digest()).decode(),
        "x-zendesk-webhook-signature-timestamp": "2026-11-22T10:00:00Z",
    }
    SINK.verify(WebhookRequest("POST", "/", headers, {}, body, NOW))


def changed(request: WebhookRequest, **more: Any) -> WebhookRequest:
    """The request with something else in it."""
    values = {name: getattr(request, name) for name in ("method", "path", "headers", "query", "body", "received_at")}
    return WebhookRequest(**(values | more))


GOOD = signed(event())
LATER = {"x-zendesk-webhook-signature-timestamp": "2026-11-22T10:00:01Z"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(changed(GOOD, body=GOOD.body.replace(b"35436", b"35437")), id="one byte of the body"),
        pytest.param(signed(event(), secret="guess"), id="another secret"),
        pytest.param(signed(event(), at=NOW - timedelta(minutes=6)), id="too old"),
        pytest.param(signed(event(), at=NOW + timedelta(minutes=6)), id="from the future"),
        pytest.param(changed(GOOD, headers=GOOD.headers | LATER), id="another time"),
        *(
            pytest.param(changed(GOOD, headers={k: v for k, v in GOOD.headers.items() if k != name}), id=f"no {name}")
            for name in GOOD.headers
        ),
    ],
)
def test_every_doubt_is_refused(request_: WebhookRequest) -> None:
    """Nothing but the untouched, fresh bytes of the vendor passes."""
    with pytest.raises(SignatureRejected):
        SINK.verify(request_)


def test_without_a_secret_nothing_is_believed() -> None:
    """A connection that has no webhook secret refuses every webhook."""
    with pytest.raises(SignatureRejected):
        make_sink(vendor_settings()).verify(GOOD)


def test_a_signed_time_that_is_no_time_is_refused() -> None:
    """A right signature over nonsense is still nonsense."""
    digest = hmac.new(b"new-secret", b"soon" + b"{}", hashlib.sha256).digest()
    headers = {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": "soon",
    }
    with pytest.raises(SignatureRejected):
        SINK.verify(WebhookRequest("POST", "/", headers, {}, b"{}", NOW))


@pytest.mark.parametrize(
    "kind", ["ticket.created", "ticket.comment_added", "ticket.problem_link_changed", "ticket.new_thing"]
)
def test_every_ticket_event_is_a_hint(kind: str) -> None:
    """Whatever happened to the ticket, the hub reads it; the event's id removes repetitions."""
    assert SINK.events(signed(event(kind))) == [Hint(event_key="webhook:e-1", lane="record:35436", record="35436")]


def test_a_triggers_own_body_is_a_hint() -> None:
    """The documented body works, with the id as text or number; the invocation's id removes repetitions."""
    for body in (b'{"ticket_id": "12"}', b'{"ticket_id": 12, "more": true}'):
        [hint] = SINK.events(signed(body, **{"x-zendesk-webhook-invocation-id": "i-1"}))
        assert hint == Hint(event_key="webhook:i-1", lane="record:12", record="12")


def test_without_any_id_the_signed_bytes_tell_repetitions() -> None:
    """The same bytes give the same key, a second later another one."""
    [first] = SINK.events(signed(b'{"ticket_id": "12"}'))
    [again] = SINK.events(signed(b'{"ticket_id": "12"}'))
    [later] = SINK.events(signed(b'{"ticket_id": "12"}', at=NOW + timedelta(seconds=1)))
    assert first == again
    assert first.event_key != later.event_key


def test_the_longest_id_is_a_hint() -> None:
    """Twenty digits, more than Zendesk gives, still pass."""
    [hint] = SINK.events(signed(event(detail={"id": "9" * 20})))
    assert hint.record == "9" * 20


@pytest.mark.parametrize("body", [event("user.created"), event("article.published"), b'{"type": "ping"}'])
def test_other_events_are_ignored_by_name(body: bytes) -> None:
    """Events that concern no ticket are UnsupportedEvent, not errors."""
    with pytest.raises(UnsupportedEvent):
        SINK.events(signed(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b"{}",
        event(detail=None),
        event(detail={"id": None}),
        event(detail={"id": "1/../2"}),
        b'{"ticket_id": {"a": 1}}',
        b'{"ticket_id": true}',
        pytest.param(b'{"ticket_id": "' + b"5" * 21 + b'"}', id="21 digits"),
        pytest.param(b'{"ticket_id": "' + b"5" * 5000 + b'"}', id="5,000 digits"),
        pytest.param(b'{"ticket_id": ' + b"5" * 4000 + b"}", id="4,000 digits, a number"),
        pytest.param(b'{"ticket_id": ' + b"5" * 5000 + b"}", id="5,000 digits, a number"),
        pytest.param(event(detail={"id": "5" * 5000}), id="5,000 digits in an event"),
        event(detail={"id": "\u0663"}),
        b"[" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_odd_bodies_are_kept_for_a_person(body: bytes) -> None:
    """Whatever is signed but not understood parks; nothing crashes, however deep."""
    with pytest.raises(PayloadNotUnderstood):
        SINK.events(signed(body))


def test_the_sandbox_sends_webhooks_the_sink_believes(account: Account, uid: str) -> None:
    """A ticket opened in the sandbox is announced by a signed webhook that verifies and names it."""
    got: queue.Queue[WebhookRequest] = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got.put(WebhookRequest("POST", self.path, headers, {}, body, datetime.now(UTC)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/hooks/zendesk"
        sink = make_sink(account.sandbox.connection_settings(webhook_url=url))
        receipt = sink.deliver([opening(uid)])[0]
        assert isinstance(receipt, Receipt)
        request = got.get(timeout=10)
        server.shutdown()
    account.sandbox.connection_settings(webhook_url="")
    sink.verify(request)
    [hint] = sink.events(request)
    assert isinstance(hint, Hint)
    assert hint.record == receipt.vendor_id


def acted(kind: str, actor: str, **comment: Any) -> bytes:
    """An event that this user caused."""
    detail = {"id": "35436", "actor_id": actor, "via": {"channel": "api"}}
    return event(kind, detail=detail, event={"comment": comment} if comment else {})


def own_sink() -> Any:
    """A connector whose account, user 377001, was checked before."""
    vault = MemoryVault()
    vault.write(OWN_ACCOUNT, mark_of("377001"))
    return make_sink(vendor_settings(webhook_secrets=["new-secret"]), vault=vault)


CUSTOMER = {"id": "377003", "is_staff": False}
AGENT = {"id": "377002", "is_staff": True}
OURS = {"id": "377001", "is_staff": True}


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        (acted("ticket.status_changed", "377001"), 0),
        (acted("ticket.created", "377001"), 0),
        (acted("ticket.comment_added", "377001", author=CUSTOMER, is_public=True), 0),
        (acted("ticket.comment_added", "377001", author=OURS, is_public=False), 0),
        (acted("ticket.comment_added", "377001", author=OURS, is_public=True), 1),
        (acted("ticket.comment_added", "377001", author=AGENT, is_public=True), 1),
        (acted("ticket.comment_added", "377001", is_public=True), 1),
        (acted("ticket.comment_added", "377002", author=AGENT, is_public=True), 1),
        (acted("ticket.status_changed", "377002"), 1),
        (acted("ticket.status_changed", "-1"), 1),
        (event("ticket.status_changed"), 1),
        (b'{"ticket_id": "35436"}', 1),
    ],
)
def test_what_our_account_did_is_no_hint(body: bytes, hints: int) -> None:
    """Our own writes come back as events, several each; a public word under our account may be a person's."""
    assert len(own_sink().events(signed(body))) == hints


def test_before_the_account_is_known_everything_is_a_hint() -> None:
    """No call is made to find out: taking events out of a body is pure."""
    assert len(SINK.events(signed(acted("ticket.status_changed", "377001")))) == 1


def test_duplicates_have_one_key_and_order_does_not_matter(account: Account, uid: str) -> None:
    """The same event twice is one; events that come late or in another order all lead to the ticket as it is now."""
    sink = account.sink()
    receipt = sink.deliver([opening(uid)])[0]
    assert isinstance(receipt, Receipt)
    account.sandbox.answer(receipt.vendor_id, "It is on its way", public=True)
    account.sandbox.update(receipt.vendor_id, status="solved")
    bodies = [
        event(kind, id=f"e-{kind}", detail={"id": receipt.vendor_id})
        for kind in ("ticket.status_changed", "ticket.created")
    ]
    told = [SINK.events(signed(body))[0] for body in (*bodies, *reversed(bodies))]
    assert len({one.event_key for one in told}) == 2
    states = [[event.event_key for event in sink.complete(hint)] for hint in told]
    assert all(state == states[0] for state in states)
