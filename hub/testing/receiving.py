"""The checks of a source or sink that is told by webhooks. The suite's ``provoke`` makes the vendor send some."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from hub.catalogue.found import is_secret
from hub.sdk import (
    PayloadNotUnderstood,
    ReceivesWebhooks,
    SignatureRejected,
    Unreadable,
    UnsupportedEvent,
    WebhookRequest,
)
from hub.testing.attempts import attempt
from hub.testing.checks import needs
from hub.testing.connectors import ConnectorConformance
from hub.testing.rig import Rig

STRANGE = (
    b"",
    b"not json at all",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"[1, 2]",
    b'"text"',
    b"{}",
    b'{"something": {"else": [1, null, {"deep": true}]}}',
    b'{"type": "an_event_of_next_year", "event": "an_event_of_next_year", "data": {}}',
    b"[" * 200 + b"]" * 200,
)
"""Bodies that no connector of this vendor knows; signed or not, ``events`` must say so."""


class ReceivingChecks(ConnectorConformance):
    """Signatures refuse what is not the vendor's; events are pure and never crash."""

    rotated_settings: ClassVar[Mapping[str, Any] | None] = None
    """Settings in the middle of a change of secrets: the vendor still signs with the old one, the second of two. Set
    it where the connector takes two."""

    def provoke(self, rig: Rig) -> None:
        """Let something happen at the vendor that it tells by webhook."""
        raise NotImplementedError

    def received(self, rig: Rig) -> Sequence[WebhookRequest]:
        """The webhooks of something that has just happened; at least one."""
        rig.vendor.webhooks()
        self.provoke(rig)
        requests = rig.vendor.webhooks()
        assert requests, "something has happened at the vendor, and its webhooks() is empty"
        return requests

    @needs(ReceivesWebhooks)
    def test_webhooks_are_accepted_and_pure(self, rig: Rig) -> None:
        """What the vendor signed is accepted, and neither verify nor events asks the vendor anything."""
        before = len(rig.calls)
        for request in self.received(rig):
            rig.connector.verify(request)
            assert rig.connector.answer_handshake(request) is None, "an event is answered as if it were a handshake"
            assert rig.connector.events(request), "a webhook of something that happened gives no event"
        assert len(rig.calls) == before, f"verify or events called the vendor: {rig.calls[-1]}"

    @needs(ReceivesWebhooks)
    def test_changed_body_is_refused(self, rig: Rig) -> None:
        """One changed byte, anywhere, and the signature does not hold."""
        (request, *_) = self.received(rig)
        for place in {0, len(request.body) // 2, len(request.body) - 1}:
            body = bytearray(request.body)
            body[place] ^= 1
            _refused(rig, dataclasses.replace(request, body=bytes(body)), f"byte {place} of the body is another")
        _refused(rig, dataclasses.replace(request, body=request.body + b" "), "a space was added to the body")

    @needs(ReceivesWebhooks)
    def test_missing_signature_is_refused(self, rig: Rig) -> None:
        """Without its headers and its query a webhook is anybody's."""
        (request, *_) = self.received(rig)
        _refused(rig, dataclasses.replace(request, headers={}, query={}), "the request has no signature")
        emptied = dict.fromkeys(request.headers, "")
        _refused(rig, dataclasses.replace(request, headers=emptied, query={}), "the signature is empty")

    @needs(ReceivesWebhooks)
    def test_wrong_secret_is_refused(self, rig: Rig) -> None:
        """A webhook signed with another secret is refused."""
        (request, *_) = self.received(rig)
        model = self.connector.Settings  # type: ignore[attr-defined]
        given = dict(self.settings)
        for name, field in model.model_fields.items():
            if is_secret(field) and given.get(name):
                given[name] = _other(given[name])
        stranger = Rig(self.connector, given, rig.vendor, conduct=self.conduct)
        _refused(stranger, request, "the secret is another")

    @needs(ReceivesWebhooks)
    def test_old_webhook_is_refused(self, rig: Rig) -> None:
        """A recorded webhook cannot be played again a day later."""
        (request, *_) = self.received(rig)
        late = dataclasses.replace(request, received_at=request.received_at + timedelta(days=1))
        _refused(rig, late, "it is a day old")

    @needs(ReceivesWebhooks)
    def test_second_secret_is_accepted(self, rig: Rig) -> None:
        """While the secret is being changed, both the new one and the old one hold."""
        settings = self.rotated_settings
        assert settings is not None, "rotated_settings is not set: no webhook may be lost while a secret is changed"
        (request, *_) = self.received(rig)
        Rig(self.connector, settings, rig.vendor, conduct=self.conduct).connector.verify(request)

    @needs(ReceivesWebhooks)
    def test_same_webhook_twice_gives_equal_keys(self, rig: Rig) -> None:
        """A re-delivery, later and to another instance, has the keys of the first."""
        for request in self.received(rig):
            first = [event.event_key for event in rig.connector.events(request)]
            rig.restart()
            later = dataclasses.replace(request, received_at=request.received_at + timedelta(seconds=30))
            again = [event.event_key for event in rig.connector.events(later)]
            assert first == again, f"the same webhook has the keys {first}, then {again}"
            assert len(set(first)) == len(first), f"two events of one webhook have one key: {first}"

    @needs(ReceivesWebhooks)
    def test_strange_body_is_told(self, rig: Rig) -> None:
        """An unknown event or shape is UnsupportedEvent, PayloadNotUnderstood or Unreadable: no crash, no silence."""
        (request, *_) = self.received(rig)
        for body in STRANGE:
            strange = dataclasses.replace(request, body=body)
            result = attempt(lambda strange=strange: list(rig.connector.events(strange)))  # type: ignore[misc]
            told = isinstance(result, UnsupportedEvent | PayloadNotUnderstood) or (
                isinstance(result, list) and result and all(isinstance(event, Unreadable) for event in result)
            )
            assert told, f"the body {body[:60]!r} gives {result!r}"


def _refused(rig: Rig, request: WebhookRequest, why: str) -> None:
    try:
        rig.connector.verify(request)
    except SignatureRejected:
        return
    pytest.fail(f"verify accepts it although {why}")


def _other(secret: Any) -> Any:
    """A secret of the same look."""
    if isinstance(secret, str):
        place = len(secret) // 2
        return secret[:place] + ("A" if secret[place] != "A" else "B") + secret[place + 1 :]
    return type(secret)(_other(one) for one in secret)
