"""Bugs to plant: a crash run that cannot find them proves nothing."""

from __future__ import annotations

import uuid
from typing import Any

from hub.flow import deliver
from hub.store import Tx, deliveries
from tests.fakes.connectors import FakeSource


def commit_after_send() -> None:
    """``sending`` is not committed before the bytes leave: after a crash the delivery looks as if it had never left."""

    def start(tx: Tx, delivery_id: int, *, token: str, body: str, now: Any) -> Any:
        row = deliveries.by_id(tx.connection, delivery_id)
        assert row is not None
        return deliveries.settle(
            tx, delivery_id, token=token, claim_token=token, attempts=row.attempts + 1, body=body, first_attempt_at=now,
            last_attempt_at=now,
        )  # fmt: skip

    deliver.deliveries.start = start  # type: ignore[assignment]


def dedupe_outside() -> None:
    """Re-deliveries are remembered in the process, outside the transaction; the database's keys do not help, because
    the ids are salted."""
    seen: set[str] = set()
    read = FakeSource.event

    def event(entry: dict[str, Any]) -> Any:
        result = read(entry)
        if result.type != "message" or result.message.own:
            return result
        fresh = result.event_key not in seen
        seen.add(result.event_key)
        salt = uuid.uuid4().hex[:8] if fresh else "known"
        message = result.message.model_copy(update={"id": f"{result.message.id}#{salt}"})
        if not fresh:
            return result.model_copy(update={"event_key": f"{result.event_key}#known"})
        return result.model_copy(update={"event_key": f"{result.event_key}#{salt}", "message": message})

    def call(self: FakeSource, path: str, *, effect: bool = False, **data: Any) -> dict[str, Any]:
        if "reply_to" in data:
            data["reply_to"] = data["reply_to"].partition("#")[0]
        return super(FakeSource, self).call(path, effect=effect, **data)

    FakeSource.event = staticmethod(event)  # type: ignore[method-assign]
    FakeSource.call = call  # type: ignore[method-assign]


BUGS = {"commit_after_send": commit_after_send, "dedupe_outside": dedupe_outside}
