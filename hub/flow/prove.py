"""A scripted round on a real account: each step with what was seen, and everything it made deleted again.

What a round makes is written down before it is made (``Journal``), so that a round that was killed can be cleaned up
after by another process.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hub.sdk import (
    PROOF,
    Absent,
    Accepted,
    CannotTell,
    CleansUp,
    ConnectorError,
    DeleteReply,
    DeletesReplies,
    Delivery,
    Failure,
    Found,
    Identity,
    OutcomeUnknown,
    PayloadNotUnderstood,
    RateLimited,
    Receipt,
    TemporaryFailure,
)
from hub.sdk.connectors import Finds

log = logging.getLogger("hub.prove")

TEXT = "Test of Social Care Hub, please ignore"
NAMESPACE = uuid.UUID("6f5c0f0e-6a5e-5d0b-9c6a-5f8a3f0c2b11")
PATIENCE = timedelta(minutes=3)
"""So long a step waits for a vendor that slows down, has a job running or settles."""
ATTEMPTS = 4
LOOK_AGAIN = 5.0

SPEAKS = ("open_ticket", "reply")
"""Without one of these a round has only looked."""

State = Literal["ok", "failed", "skipped"]


class NotSo(Exception):
    """The vendor answered, and it is not as it must be; the message says what was seen."""


class Skip(Exception):
    """This step cannot be done here; the message says why."""


@dataclass
class Step:
    """One step of a round and what came of it. ``ids`` are the vendor's."""

    name: str
    state: State = "ok"
    reason: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    ms: int = 0


class Attempting:
    """One step under way. It swallows what goes wrong, except an interruption."""

    def __init__(self, proof: Proof, name: str) -> None:
        self._proof = proof
        self._step = Step(name)
        self._began = time.perf_counter()

    def __enter__(self) -> Step:
        return self._step

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        step = self._step
        if isinstance(error, Skip):
            step.state, step.reason = "skipped", str(error)
        elif isinstance(error, NotSo):
            step.state, step.reason = "failed", str(error)
        elif isinstance(error, ConnectorError):
            step.state, step.reason = "failed", f"{type(error).__name__}: {error.summary}"
        elif isinstance(error, KeyboardInterrupt):
            step.state, step.reason = "failed", "interrupted"
        elif error is not None:
            log.error("%s failed unexpectedly", step.name, exc_info=error)
            step.state, step.reason = "failed", f"unexpected: {type(error).__name__}"
        step.ms = round((time.perf_counter() - self._began) * 1000)
        self._proof.done(step)
        return error is None or isinstance(error, Exception)


class Journal:
    """What a round has made or may have made, on the disk before it is made."""

    def __init__(self, path: Path | None, told: dict[str, Any]) -> None:
        self.path = path
        self.told = told

    @classmethod
    def begin(cls, path: Path | None, *, connection: str, connector: str, code: str, at: datetime) -> Journal:
        """A new one. Without a path it is kept in memory only."""
        told = {"connection": connection, "connector": connector, "code": code, "started_at": at.isoformat()}
        return cls(path, {**told, "people": [], "deliveries": []})

    @classmethod
    def of(cls, folder: Path, connection: str) -> list[Journal]:
        """Those of rounds of a connection that were not cleaned up after."""
        found = [cls(path, json.loads(path.read_text())) for path in sorted(folder.glob("*.journal.json"))]
        return [one for one in found if one.told["connection"] == connection]

    def person(self, who: Identity) -> None:
        """Somebody who will write."""
        self.told["people"].append(who.model_dump(mode="json"))
        self._write()

    def sending(self, delivery: Delivery) -> None:
        """This is about to be made."""
        self.told["deliveries"].append({"delivery": delivery.model_dump(mode="json"), "id": ""})
        self._write()

    def made(self, delivery: Delivery, vendor_id: str) -> None:
        """It is made, under this id."""
        for row in self.told["deliveries"]:
            if row["delivery"]["key"] == delivery.key:
                row["id"] = vendor_id
        self._write()

    def undone(self, delivery: Delivery) -> None:
        """It was certainly not made, or is deleted again."""
        kept = [row for row in self.told["deliveries"] if row["delivery"]["key"] != delivery.key]
        self.told["deliveries"] = kept
        self._write()

    def end(self) -> None:
        """Nothing is left."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.told, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)


class Proof:
    """One round of one connector. ``now`` and ``wait`` are its clock; ``ask`` tells a person what to do now."""

    def __init__(
        self,
        connector: Any,
        *,
        code: str,
        now: Callable[[], datetime],
        wait: Callable[[float], None],
        journal: Journal,
        ask: Callable[[str], None] | None = None,
        told: Callable[[Step], None] = lambda step: None,
    ) -> None:
        self.connector = connector
        self.code = code
        self.now = now
        self.wait = wait
        self.journal = journal
        self.ask = ask
        self.steps: list[Step] = []
        self._told = told
        self.person = Identity(network="social-care-hub", id=PROOF + code, handle="test", display_name=TEXT)

    @property
    def ok(self) -> bool:
        """True when nothing failed and something was done."""
        return any(step.state == "ok" for step in self.steps) and not any(step.state == "failed" for step in self.steps)

    @property
    def proven(self) -> bool:
        """True when nothing failed, and the hub said something there."""
        return self.ok and any(step.name in SPEAKS and step.state == "ok" for step in self.steps)

    def step(self, name: str) -> Attempting:
        """``with proof.step(...) as step``: what goes wrong in it is its outcome, and the round goes on."""
        return Attempting(self, name)

    def done(self, step: Step) -> None:
        """One step is over."""
        self.steps.append(step)
        self._told(step)

    def run(self, script: Callable[[Proof], None]) -> None:
        """The round, and the clean-up whatever happens. A ``KeyboardInterrupt`` ends the round, not the clean-up."""
        try:
            script(self)
        except KeyboardInterrupt:
            log.warning("interrupted; cleaning up (interrupt once more to leave that for --clean-up)")
        finally:
            self.clean_up()

    # --- sending ---------------------------------------------------------------------------------------------------

    def delivery(self, name: str, body: Any) -> Delivery:
        """A delivery of this round under a key of its own."""
        return Delivery(key=str(uuid.uuid5(NAMESPACE, f"{self.code}:{name}")), body=body, first_attempt_at=self.now())

    def send(self, delivery: Delivery) -> Receipt:
        """Send as the hub would: waits when asked to, looks when nobody knows. Raises the connector's error or
        :class:`NotSo`."""
        makes = delivery.body.verb in ("open_ticket", "reply")
        if makes:
            self.journal.sending(delivery)
        until = self.now() + PATIENCE
        for attempt in range(1, ATTEMPTS + 1):
            result = self._once(delivery)
            if isinstance(result, Accepted):
                result = self._await_job(delivery, result, until)
            if isinstance(result, Receipt):
                if makes:
                    self.journal.made(delivery, result.vendor_id)
                return result
            error = result.error
            if isinstance(error, OutcomeUnknown | PayloadNotUnderstood):
                return self._look_up(delivery)
            again = isinstance(error, RateLimited | TemporaryFailure)
            if not again or attempt == ATTEMPTS or self.now() >= until:
                if makes:
                    self.journal.undone(delivery)
                raise error
            self.wait(_pause(error))
        raise AssertionError  # the last attempt returned or raised

    def _once(self, delivery: Delivery) -> Receipt | Accepted | Failure:
        try:
            result: Receipt | Accepted | Failure = self.connector.deliver([delivery])[0]
        except ConnectorError as error:
            return Failure(error)
        return result

    def _await_job(self, delivery: Delivery, accepted: Accepted, until: datetime) -> Receipt | Failure:
        while self.now() < until:
            self.wait(accepted.look_after)
            delivery = delivery.model_copy(update={"memo": accepted.memo})
            found = self.connector.find(delivery)
            if isinstance(found, Found):
                return found.receipt
            if isinstance(found, Accepted):
                accepted = found
            elif isinstance(found, Absent):
                raise NotSo("the vendor took it as a job, and did not do it")
        raise NotSo("the vendor's job did not end in time")

    def _look_up(self, delivery: Delivery) -> Receipt:
        found = self.find(delivery)
        if not isinstance(found, Found):
            raise NotSo("nobody knows whether it was done: no answer came, and it is not found")
        self.journal.made(delivery, found.receipt.vendor_id)
        return found.receipt

    def find(self, delivery: Delivery) -> Found | Absent | CannotTell:
        """What the connector finds of a delivery, once it has settled."""
        if not isinstance(self.connector, Finds):
            raise Skip("this connector cannot look for what it sent")
        self.wait(getattr(self.connector, "settles_after", timedelta(seconds=2)).total_seconds())
        until, looks = self.now() + PATIENCE, 0
        while True:
            found: Any = self.asked(partial(self.connector.find, delivery))
            if isinstance(found, Found | Absent):
                return found
            if isinstance(found, Accepted):  # something is under way there that may be it
                delivery = delivery.model_copy(update={"memo": found.memo})
            looks += not isinstance(found, Accepted)
            if looks == ATTEMPTS or self.now() >= until:
                return found if isinstance(found, CannotTell) else CannotTell(reason="it is still at it")
            self.wait(found.look_after if isinstance(found, Accepted) else LOOK_AGAIN)

    def asked(self, call: Callable[[], Any]) -> Any:
        """The answer of a call that changes nothing, asked again while the vendor wants us to wait."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return call()
            except (RateLimited, TemporaryFailure) as error:
                if attempt == ATTEMPTS:
                    raise
                self.wait(_pause(error))
        return None

    # --- afterwards ------------------------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """Delete what the journal names; it ends when nothing is left. Twice does no harm."""
        with self.step("clean_up") as step:
            ids, left = self._made()
            people = [Identity.model_validate(one) for one in self.journal.told["people"]]
            step.ids = ids
            if not ids and not left and not people:
                self.journal.end()
                raise Skip("nothing was made")
            if isinstance(self.connector, CleansUp):
                left += self.asked(lambda: self.connector.clean_up(ids, people))
            elif isinstance(self.connector, DeletesReplies):
                for vendor_id in ids:
                    reason = "the proof is over"
                    self.send(self.delivery(f"delete:{vendor_id}", DeleteReply(message_id=vendor_id, reason=reason)))
            elif ids:
                left += [f"{vendor_id}: its plugin cannot delete" for vendor_id in ids]
            if left:
                raise NotSo("left for a person to delete: " + "; ".join(left))
            self.journal.end()

    def _made(self) -> tuple[list[str], list[str]]:
        """The ids of what was made, and what nobody knows the id of."""
        ids, left = [], []
        for row in self.journal.told["deliveries"]:
            delivery = Delivery.model_validate(row["delivery"])
            if not row["id"]:  # the round ended between sending and hearing of it
                found = self.find(delivery) if isinstance(self.connector, Finds) else None
                if isinstance(found, Found):
                    row["id"] = found.receipt.vendor_id
                elif not isinstance(found, Absent):
                    left.append(f"look yourself for {PROOF}{self.code}: nobody knows whether it was made")
            if row["id"]:
                ids.append(row["id"])
        return ids, left

    def as_told(self) -> list[dict[str, Any]]:
        """The steps as JSON values."""
        return [asdict(step) for step in self.steps]


def _pause(error: ConnectorError) -> float:
    wait = error.retry_after if isinstance(error, RateLimited) else None
    return min(60.0, wait if wait is not None else LOOK_AGAIN)
